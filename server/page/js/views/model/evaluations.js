// Every evaluation of the library in a table; two of them side by side; curves of those that are chosen; a new one.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { ask } from "../../api/client.js";
import { curves, interval } from "../../components/curves.js";

const WAYS = { text_to_image: "Captions looking for their photo", image_to_text: "Photos looking for a caption" };
const COLORS = 5; // as many as the style sheet has; as many are drawn
const KS = [1, 2, 3, 5, 10, 20, 50, 100];
const COLUMNS = {
  date: ["Date", (one) => one.date],
  model: ["Model", (one) => called(one)],
  split: ["Split", (one) => one.split ?? ""],
  rsum: ["rsum (95%)", (one) => one.rsum],
  ...Object.fromEntries(
    Object.keys(WAYS).flatMap((way) => [
      ...[1, 5, 10].map((k) => [`${way} R@${k}`, [`R@${k}`, (one) => one[way][`R@${k}`] ?? -1]]),
      [`${way} median`, ["Median", (one) => one[way].median_rank]],
    ]),
  ),
  size: ["Photos / captions", (one) => one.n_captions],
};

const called = (one) => one.model + (one.tta ? " --tta" : "") + (one.int8 ? " --int8" : "");
const fixed = (value, digits = 1) => (value === undefined ? "–" : value.toFixed(digits));
const day = (one) => new Date(one.date).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** Shows the evaluations in the sections of the page; `show()` after the address has changed. */
export function mountEvaluations(address) {
  let all = null;
  let splits = null; // as long as nobody knows
  let running = false;
  let trouble = "";
  const places = ["table", "comparison", "curves"].map((id) => document.getElementById(id));

  async function load() {
    try {
      trouble = "";
      all = (await ask("api/evaluations")).evaluations;
      show(); // the splits may have to wait until somebody's ranks are computed
      splits = (await ask("api/explorer/splits")).splits;
    } catch (error) {
      trouble = error.message;
    }
    show();
  }

  /** Those that are chosen, oldest first; the newest where none is. */
  function chosen() {
    const ids = address.state.e.split(",").map(Number);
    const some = all.filter((one) => ids.includes(one.id));
    return some.length ? some : all.slice(-1);
  }

  /** Takes one in, or out again; whether it is chosen afterwards. */
  function choose(one) {
    const ids = new Set(chosen().map((some) => some.id));
    if (!ids.delete(one.id)) ids.add(one.id);
    address.change({ e: [...ids].sort((a, b) => a - b).join(",") });
    return chosen().includes(one);
  }

  async function run(event) {
    event.preventDefault();
    const given = new FormData(event.target);
    running = true;
    trouble = "";
    show();
    try {
      const split = given.get("split");
      const result = await ask("api/evaluations", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ split: split === "-" ? null : split, recall: KS }),
      });
      await load();
      trouble = result.warnings.join("; ");
      if (!trouble) address.change({ e: String(all.at(-1).id) });
    } catch (error) {
      trouble = error.message;
    }
    running = false;
    show();
  }

  function show() {
    const form = newOne(splits, running, run);
    const said = trouble ? html`<p class="trouble" role="alert">${trouble}</p>` : nothing;
    if (all === null) {
      render(said, places[0]);
    } else if (all.length === 0) {
      render(html`${empty(splits)}${said}${form}`, places[0]);
    } else {
      const some = chosen();
      render(html`${table(sorted(all, address.state.by), some, address, choose)}${said}${form}`, places[0]);
      render(some.length === 2 ? comparison(...some) : invitation(all, some), places[1]);
      drawn(some);
    }
  }

  function drawn(some) {
    const scale = address.state.k === "linear" ? "linear" : "log";
    const room = places[2].clientWidth;
    const width = room > 860 ? Math.floor((room - 24) / 2) : room;
    const shown = some.slice(-COLORS);
    render(
      html`<div class="curve-head"><h3>Recall against K, with bands of 95%</h3>
        <fieldset class="tabs"><legend class="visually-hidden">Scale of K</legend>
          ${["log", "linear"].map(
            (name) => html`<label><input type="radio" name="scale" .checked=${scale === name}
              @change=${() => address.change({ k: name })}><span>${name === "log" ? "Logarithmic" : "Linear"}</span></label>`,
          )}
        </fieldset></div>
      ${shown.length < some.length ? html`<p class="soft">The newest ${COLORS} of those that are chosen.</p>` : nothing}
      <div class="two">${Object.entries(WAYS).map(([way, title]) => curves(title, series(shown, way), width, scale))}</div>
      ${numbers(shown)}`,
      places[2],
    );
  }

  new ResizeObserver(() => all?.length && drawn(chosen())).observe(places[2]);
  load();
  return { show };
}

function sorted(all, by) {
  const [, name] = by.match(/^-?(.*)$/);
  const [, value] = COLUMNS[name] ?? COLUMNS.date;
  const sign = by.startsWith("-") ? -1 : 1;
  return [...all].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    // The newest and the best first, unless the other way round was asked for.
    return sign * (x < y ? 1 : x > y ? -1 : b.id - a.id);
  });
}

function empty(splits) {
  if (splits === null) return nothing;
  return splits.length
    ? html`<p class="empty">No evaluation yet. Run one here, or with <code>twobranch eval</code>.</p>`
    : html`<p class="empty">No photo of this library has a caption, so there is nothing to evaluate. Add a caption file with
        <code>twobranch index PHOTOS --captions FILE</code>.</p>`;
}

function newOne(splits, running, run) {
  if (!splits?.length) return nothing;
  const usual = splits.find((split) => split.name === "dev") ?? splits[0];
  return html`<form class="run" @submit=${run}>
    <label>Evaluate <select name="split" ?disabled=${running}>
      ${splits.map(
        ({ name, captions }) => html`<option value=${name ?? "-"} .selected=${name === usual.name}>
          ${name ?? "all captions"} (${captions.toLocaleString("en")} captions)</option>`,
      )}
      ${splits.length > 1 && splits.every((split) => split.name !== null) ? html`<option value="-">all splits together</option>` : nothing}
    </select></label>
    <button class="button" ?disabled=${running}>${running ? "Evaluating…" : "Run"}</button>
    <span class="soft" role="status">${running ? "This takes seconds." : ""}</span>
  </form>`;
}

function table(all, some, address, choose) {
  const by = address.state.by;
  const head = (name, more = {}) => {
    const sorts = by.replace("-", "") === name;
    const how = sorts ? (by.startsWith("-") ? "ascending" : "descending") : "none";
    return html`<th scope="col" aria-sort=${how} class=${more.class ?? ""}>
      <button @click=${() => address.change({ by: by === name ? `-${name}` : name })}>${COLUMNS[name][0]}<span aria-hidden="true">${{ ascending: " ▴", descending: " ▾", none: "" }[how]}</span></button></th>`;
  };
  return html`<div class="wide" role="region" aria-label="Evaluations" tabindex="0"><table>
    <thead>
      <tr><td colspan="5"></td><th scope="colgroup" colspan="4">${WAYS.text_to_image}</th>
        <th scope="colgroup" colspan="4">${WAYS.image_to_text}</th><td colspan="2"></td></tr>
      <tr><td><span class="visually-hidden">Chosen</span></td>
        ${Object.keys(COLUMNS).map((name) => head(name, { class: / R@1$|size/.test(name) ? "first" : "" }))}
        <th scope="col">Exact</th></tr>
    </thead>
    <tbody>${all.map((one) => {
      const is = some.includes(one);
      return html`<tr class=${is ? "chosen" : ""}>
        <td><input type="checkbox" aria-label="Draw the evaluation of ${day(one)}" .checked=${is} @change=${(event) => {
          event.target.checked = choose(one); // the last one stays
        }}></td>
        <td><time datetime=${one.date} title=${one.command}>${day(one)}</time></td>
        <th scope="row">${called(one)}</th>
        <td>${one.split ?? "all"}</td>
        <td class="number"><strong>${fixed(one.rsum)}</strong> <span class="soft">(${one.rsum_ci95.map((end) => end.toFixed(1)).join("–")})</span></td>
        ${Object.keys(WAYS).map(
          (way) => html`${[1, 5, 10].map((k) => html`<td class="number ${k === 1 ? "first" : ""}">${fixed(one[way][`R@${k}`])}</td>`)}
            <td class="number">${fixed(one[way].median_rank, one[way].median_rank % 1 ? 1 : 0)}</td>`,
        )}
        <td class="number first">${one.n_images.toLocaleString("en")} / ${one.n_captions.toLocaleString("en")}</td>
        <td>${one.index_agrees_with_exact ? html`<span class="good">agrees</span>` : html`<span class="bad" title="Searching the index found less than exact search">differs</span>`}</td>
      </tr>`;
    })}</tbody>
  </table></div>`;
}

const invitation = (all, some) =>
  all.length > 1 ? html`<p class="soft">${some.length < 2 ? "Choose another one in the table to compare them." : "Choose two of them to compare."}</p>` : nothing;

/** Two evaluations, the older first, with what the newer one gains. */
function comparison(one, other) {
  const ks = KS.filter((k) => one.text_to_image[`R@${k}`] !== undefined && other.text_to_image[`R@${k}`] !== undefined);
  const [a, b] = names([one, other]);
  const apart = one.n_images !== other.n_images || one.n_captions !== other.n_captions || one.split !== other.split;
  const rows = (way) => [
    ...ks.map((k) => ({
      name: `R@${k}`,
      values: [one, other].map((some) => ({ value: some[way][`R@${k}`], ends: some[way].ci95[`R@${k}`] })),
      better: 1,
    })),
    { name: "Median rank", values: [one, other].map((some) => ({ value: some[way].median_rank })), better: -1 },
  ];
  const sums = { name: "rsum", values: [one, other].map((some) => ({ value: some.rsum, ends: some.rsum_ci95 })), better: 1 };
  const side = (title, some) => html`<div class="wide" role="region" aria-label="Comparison: ${title}" tabindex="0"><table class="compare">
      <caption>${title}</caption>
      <thead><tr><th scope="col">Measure</th><th scope="col">${a}</th><th scope="col">${b}</th><th scope="col">Difference</th>${apart ? nothing : html`<th scope="col">Intervals</th>`}</tr></thead>
      <tbody>${some.map((row) => compared(row, apart))}</tbody>
    </table></div>`;
  return html`<h3>${b} against ${a}</h3>
    ${apart
      ? html`<p class="trouble">They are not of the same photos, so these differences say nothing about which model is better: among more
          photos every query is harder, and with photos that a model was trained with it is easier.</p>`
      : nothing}
    <div class="two">${side("Both ways", [sums])}${Object.entries(WAYS).map(([way, title]) => side(title, rows(way)))}</div>
    ${apart ? nothing : html`<p class="soft">Intervals say how much a number would vary with other photos. On the same photos the errors of two models go
      together, so a difference can be real although the intervals overlap.</p>`}`;
}

function compared({ name, values: [one, other], better }, apart) {
  const difference = Number((other.value - one.value).toFixed(1));
  const mark = apart ? 0 : Math.sign(difference) * better;
  const overlap = one.ends && other.ends && one.ends[0] <= other.ends[1] && other.ends[0] <= one.ends[1];
  const shown = ({ value, ends }) =>
    html`${value.toFixed(1)}${ends ? html` <span class="soft">(${ends.map((end) => end.toFixed(1)).join("–")})</span>` : nothing}`;
  return html`<tr><th scope="row">${name}</th><td class="number">${shown(one)}</td><td class="number">${shown(other)}</td>
    <td class="number ${["bad", "", "good"][mark + 1]}">${difference > 0 ? "+" : ""}${difference.toFixed(1).replace("-", "−")}${mark ? html` <span class="soft">${mark > 0 ? "better" : "worse"}</span>` : nothing}</td>
    ${apart ? nothing : html`<td>${one.ends ? (overlap ? "overlap" : "apart") : ""}</td>`}</tr>`;
}

/** What to call evaluations side by side: model and split, and the number of those that are alike. */
function names(some) {
  const plain = some.map((one) => `${called(one)} · ${one.split ?? "all"}`);
  return plain.map((name, at) => (plain.filter((other) => other === name).length > 1 ? `${name} #${some[at].id}` : name));
}

function series(some, way) {
  const called = names(some);
  return some.map((one, number) => ({
    name: called[number],
    color: number + 1,
    points: Object.entries(one[way].ci95)
      .map(([name, [low, high]]) => ({ k: Number(name.slice(2)), recall: one[way][name], low, high }))
      .sort((a, b) => a.k - b.k),
  }));
}

function numbers(some) {
  return html`<details><summary>The numbers of the curves</summary>
    <div class="wide" role="region" aria-label="Recall by K" tabindex="0">${Object.entries(WAYS).map(([way, title]) => {
      const all = series(some, way);
      const ks = [...new Set(all.flatMap((one) => one.points.map((point) => point.k)))].sort((a, b) => a - b);
      return html`<table><caption>${title}: recall in percent (95% interval)</caption>
        <thead><tr><th scope="col">Evaluation</th>${ks.map((k) => html`<th scope="col">R@${k}</th>`)}</tr></thead>
        <tbody>${all.map(
          (one) => html`<tr><th scope="row">${one.name}</th>${ks.map((k) => {
            const point = one.points.find((some) => some.k === k);
            return html`<td class="number">${point ? interval(point) : "–"}</td>`;
          })}</tr>`,
        )}</tbody></table>`;
    })}</div></details>`;
}
