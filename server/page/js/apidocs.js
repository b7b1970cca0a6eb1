// The API as a page to read, made from its OpenAPI description.

import { html, nothing, render } from "../vendor/lit-html.js";
import { ask } from "./api/client.js";
import { byId } from "./components/dom.js";
import { example, kind, resolved } from "./api/schemas.js";
import { hearFromServer, mountSession } from "./views/session/session.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const LONGEST = 20_000; // letters of an answer that are shown
const place = byId("docs");
const tried = new Map(); // operation id -> what became of it
let api;

const base = () => new URL(".", location.href).href;
const titled = (text) => text[0].toUpperCase() + text.slice(1);
const json = (value) => JSON.stringify(value, null, 2);

async function start() {
  try {
    api = await ask("api/openapi.json");
  } catch (error) {
    render(html`<p class="trouble" role="alert">${error.message}</p>`, place);
    return;
  }
  place.replaceChildren();
  paint();
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView(); // it was not there before
}

/** The operations by tag, in the order of the description. */
function byTag() {
  const tags = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = { ...item[method], path, method, id: `${method}${path.replaceAll(/[^A-Za-z0-9]+/g, "-")}` };
      const tag = operation.tags?.[0] ?? "other";
      tags.set(tag, [...(tags.get(tag) ?? []), operation]);
    }
  }
  return [...tags];
}

function paint() {
  const tags = byTag();
  render(
    html`<p>${api.info.description} Version ${api.info.version}. The same as a machine reads it: <a href="api/openapi.json">api/openapi.json</a>.
        Every error is <code>{"error": "…"}</code> with a line of text.</p>
      <div class="api">
        <nav class="contents" aria-label="Contents">${tags.map(
          ([tag, operations]) => html`<p>${titled(tag)}</p>
            <ul>${operations.map((one) => html`<li><a href="#${one.id}"><span class="method ${one.method}">${one.method.toUpperCase()}</span> <span>${shortPath(one.path)}</span></a></li>`)}</ul>`,
        )}<p><a href="#errors">Errors everywhere</a></p><p><a href="#models">Models</a></p></nav>
        <div class="operations">
          ${tags.map(([tag, operations]) => html`<section aria-labelledby="tag-${tag}"><h2 id="tag-${tag}">${titled(tag)}</h2>${operations.map(shown)}</section>`)}
          ${errors()}
          ${models()}
        </div>
      </div>`,
    place,
  );
}

/** The errors that any address answers with, those about bodies where it takes one. */
function errors() {
  const statuses = new Map();
  for (const { responses } of [...byTag()].flatMap(([, operations]) => operations)) {
    for (const [status, { $ref }] of Object.entries(responses)) if ($ref) statuses.set(status, resolved({ $ref }, api));
  }
  const sorted = [...statuses].sort(([one], [other]) => Number(one) - Number(other));
  return html`<section aria-labelledby="errors"><h2 id="errors">Errors everywhere</h2>
    <p>Any address may also answer with these; 408, 413 and 415 those that take a body.</p>
    ${sorted.map(([status, response]) => answer(status, response))}</section>`;
}

/** The path without what nearly all begin with, to be broken before its slashes. */
const shortPath = (path) => path.replace(/^\/api\//, "/").split("/").slice(1).map((part) => html`<wbr>/${part}`);

function shown(one) {
  const parameters = one.parameters ?? [];
  return html`<article id=${one.id}>
    <h3><span class="method ${one.method}">${one.method.toUpperCase()}</span> <code>${one.path}</code> <a class="anchor" href="#${one.id}" aria-label="Link to this">#</a></h3>
    <p>${coded(one.description ?? one.summary)}</p>
    ${parameters.length ? listed("Parameters", parameters.map(parameter)) : nothing}
    ${one.requestBody ? body(one.requestBody) : nothing}
    <pre class="curl" tabindex="0" aria-label="The same with curl">${curl(one)}</pre>
    ${one.method === "get" ? trial(one, parameters) : nothing}
    ${Object.entries(one.responses)
      .filter(([, response]) => !response.$ref) // those are listed once, under "Errors everywhere"
      .map(([status, response]) => answer(status, response))}
  </article>`;
}

/** Text with what stands between backticks as code. */
const coded = (text = "") => text.replaceAll("``", "`").split("`").map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));

const typed = (schema) => kind(schema).map((part) => (part.model ? html`<a href="#model-${part.model}">${part.model}</a>` : part));

const listed = (title, rows) => html`<div class="wide" role="region" aria-label=${title} tabindex="0"><table class="fields">
  <thead><tr><th scope="col">${title}</th><th scope="col">Kind</th><th scope="col">Default</th><th scope="col">Meaning</th></tr></thead><tbody>${rows}</tbody></table></div>`;

function field(name, schema, required, where, description) {
  const examples = schema.examples ?? [];
  return html`<tr><th scope="row"><code>${name}</code>${where === "path" ? html` <span class="soft">in the path</span>` : nothing}</th>
    <td>${typed(schema)}</td>
    <td>${required ? html`<span class="soft">required</span>` : schema.default === undefined || schema.default === null ? "" : html`<code>${json(schema.default)}</code>`}</td>
    <td>${coded(description ?? schema.description ?? "")}${examples.length
      ? html` <span class="soft">As in</span> ${examples.map((one, at) => html`${at ? ", " : ""}<code>${typeof one === "string" ? one : JSON.stringify(one)}</code>`)}`
      : nothing}</td></tr>`;
}

const parameter = (one) => field(one.name, withoutNull(one.schema), one.required, one.in, one.description);

/** The schema of what can be said in an address, where "null" is saying nothing. */
function withoutNull(schema) {
  const some = schema.anyOf?.filter((one) => one.type !== "null");
  return some ? { ...schema, anyOf: some } : schema;
}

function body(request) {
  const [[kindOfBody, { schema }]] = Object.entries(request.content);
  const model = resolved(schema, api);
  const required = model.required ?? [];
  return html`${listed(`Body, as ${kindOfBody}`, Object.entries(model.properties ?? {}).map(([name, part]) => field(name, part, required.includes(name))))}`;
}

function answer(status, response) {
  const [[kindOfBody, content] = []] = Object.entries(response.content ?? {});
  const schema = content?.schema;
  const good = Number(status) < 400;
  const title = html`<span class="status ${good ? "good" : "bad"}">${status}</span> ${response.description}${schema && Object.keys(schema).length ? html`: ${typed(schema)}` : nothing}`;
  if (!status.startsWith("2") || !schema) return html`<p class="answer">${title}${kindOfBody && !kindOfBody.includes("json") ? html` <code>${kindOfBody}</code>` : nothing}</p>`;
  return html`<p class="answer">${title}</p>
    <details><summary>An example</summary><pre tabindex="0" aria-label="An example">${json(content.example ?? example(schema, api))}</pre></details>`;
}

function curl(one) {
  const parameters = one.parameters ?? [];
  const sample = (schema) => schema.examples?.[0] ?? schema.default ?? example(schema, api);
  const path = one.path.slice(1).replaceAll(/\{([^}]+)\}/g, (_, name) => {
    const found = parameters.find((some) => some.name === name);
    return encodeURIComponent(found ? sample(found.schema) : name);
  });
  const query = new URLSearchParams();
  const asked = parameters.filter((some) => some.in === "query");
  // What must be said, and the words of a search or else the first parameter that has an example.
  const shown = asked.find((some) => some.name === "q") ?? asked.find((some) => some.schema.examples);
  for (const some of asked.filter((some) => some.required || some === shown)) {
    query.append(some.name, [sample(some.schema)].flat()[0]);
  }
  const address = `${base()}${path}${query.size ? `?${query}` : ""}`;
  const parts = [`curl ${one.method === "get" ? "" : `-X ${one.method.toUpperCase()} `}${quoted(address)}`];
  const [[kindOfBody, content] = []] = Object.entries(one.requestBody?.content ?? {});
  if (kindOfBody === "multipart/form-data") {
    const model = resolved(content.schema, api);
    for (const name of Object.keys(model.properties ?? {})) parts.push(`-F ${quoted(`${name}=@picture.jpg`)}`);
  } else if (kindOfBody) {
    parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(example(content.schema, api)))}`);
  }
  return parts.join(" \\\n  ");
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function trial(one, parameters) {
  const result = tried.get(one.id);
  return html`<details class="try"><summary>Try it</summary>
    <form @submit=${(event) => attempt(event, one, parameters)}>
      ${parameters.map((some) => {
        // With a prefix: a field of the name "contains" would hide what every element has under it.
        const id = `${one.id}-${some.name}`;
        const values = choices(some.schema);
        return html`<label for=${id}><code>${some.name}</code></label>
          ${values
            ? html`<select id=${id} name="p-${some.name}">${some.required ? nothing : html`<option value=""></option>`}${values.map((value) => html`<option>${value}</option>`)}</select>`
            : html`<input type="text" id=${id} name="p-${some.name}" ?required=${some.required} autocomplete="off" spellcheck="false"
                placeholder=${some.schema.default ?? (isList(some.schema) ? "several, separated by commas" : "")}>`}`;
      })}
      <button class="button">Ask</button>
    </form>
    <div role="status">${result ?? nothing}</div></details>`;
}

/** The values that there are, or null where anything can be typed. */
function choices(given) {
  const schema = resolved(given, api);
  if (schema.enum) return schema.enum;
  if (schema.type === "boolean") return ["true", "false"];
  return schema.anyOf?.find((one) => one.enum)?.enum ?? null;
}

const isList = (schema) => schema.type === "array";

async function attempt(event, one, parameters) {
  event.preventDefault();
  const given = new FormData(event.target);
  const query = new URLSearchParams();
  let path = one.path.slice(1);
  for (const { name, in: where, schema } of parameters) {
    const value = String(given.get(`p-${name}`) ?? "").trim();
    if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value) for (const part of isList(schema) ? value.split(",") : [value]) query.append(name, part.trim());
  }
  const address = `${path}${query.size ? `?${query}` : ""}`;
  const said = (text, how = "") => {
    tried.set(one.id, html`<p><code>GET /${address}</code> <span class=${how}>${text.status ?? ""}</span></p>${text.body}`);
    paint();
  };
  try {
    const response = await fetch(address);
    const type = response.headers.get("content-type") ?? "";
    const bytes = await response.blob();
    said({ status: `${response.status} ${response.statusText}`, body: await readable(bytes, type) }, response.ok ? "good" : "bad");
  } catch {
    said({ body: html`<p class="trouble">The server does not answer.</p>` });
  }
}

async function readable(bytes, type) {
  if (type.startsWith("image/")) return html`<img class="tried" src=${URL.createObjectURL(bytes)} alt="What the server answered">`;
  let text = await bytes.text();
  if (type.includes("json")) text = json(JSON.parse(text));
  const more = text.length - LONGEST;
  return html`<pre tabindex="0" aria-label="The answer">${text.slice(0, LONGEST)}${more > 0 ? `\n… and ${more.toLocaleString("en")} letters more` : ""}</pre>`;
}

function models() {
  const all = Object.entries(api.components?.schemas ?? {}).filter(([name]) => !/^(Body_|HTTPValidationError|ValidationError)/.test(name));
  return html`<section aria-labelledby="models"><h2 id="models">Models</h2>
    ${all.map(([name, model]) => {
      const required = model.required ?? [];
      const head = html`<h3>${name}</h3><p>${coded(model.description)}</p>`;
      if (!model.properties) return html`<article id="model-${name}">${head}<p>${typed(model)}</p></article>`;
      return html`<article id="model-${name}">${head}
        <div class="wide" role="region" aria-label=${name} tabindex="0"><table class="fields"><thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">Meaning</th></tr></thead>
        <tbody>${Object.entries(model.properties).map(
          ([key, part]) => html`<tr><th scope="row"><code>${key}</code></th><td>${typed(part)}${required.includes(key) ? nothing : html` <span class="soft">optional</span>`}</td><td>${coded(part.description)}</td></tr>`,
        )}</tbody></table></div></article>`;
    })}</section>`;
}

mountSession();
hearFromServer();
start();
