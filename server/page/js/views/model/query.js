// The right side of the explorer: one query, what is true, and what came before it.

import { html, nothing } from "../../../vendor/lit-html.js";
import { thumbnail } from "../../api/client.js";
import { fileName } from "./queries.js";

const number = (value) => value.toLocaleString("en");
const score = (value) => value.toFixed(3).replace("-", "−");
const above = (value) => `${value >= 0 ? "+" : ""}${score(value)}`;

/** One query beside what was found for it. `position` is its place in the list, -1 where it is not in it. */
export function queryDetail(detail, list, position, tools) {
  return html`<section class="detail" aria-label="The query">
    <div class="steps">
      <button class="button" @click=${() => tools.step(-1)} ?disabled=${position <= 0}>← Previous <kbd>k</kbd></button>
      <span class="soft">${position >= 0 ? `${number(position + 1)} of ${number(list.total)}` : ""}</span>
      <button class="button" @click=${() => tools.step(1)} ?disabled=${position + 1 >= list.total}>Next <kbd>j</kbd> →</button>
    </div>
    ${detail === null ? nothing : detail.error ? html`<p class="trouble" role="alert">${detail.error}</p>` : shown(detail)}
  </section>`;
}

function shown({ query, truths, hits, gallery, direction }) {
  const what = direction === "text_to_image" ? "photos" : "captions";
  const ahead = query.rank - 1;
  const verdict =
    ahead === 0
      ? `Found first among ${number(gallery)} ${what}, with a score of ${score(query.truth_score)}.`
      : `Rank ${number(query.rank)} of ${number(gallery)}: ${number(ahead)} ${ahead === 1 ? what.slice(0, -1) : what} came before the truth, the first by ${score(query.best_score - query.truth_score)}.`;
  return html`<div aria-live="polite"><p class="asked">${query.text === null ? photo(query, "The photo that is asked", 640) : html`“${query.text}”`}</p>
    <p class=${ahead === 0 ? "good" : ""}>${verdict}</p></div>
    ${direction === "text_to_image" ? photos(truths, hits) : captions(truths, hits)}`;
}

function photos(truths, hits) {
  return html`<div class="answers">
    <div class="truth"><h3>The truth</h3>${card(truths[0], "Its photo")}</div>
    <div><h3>The first ${hits.length} hits</h3>
      <ol class="hits">${hits.map((hit) => html`<li>${card(hit, hit.true ? "Its photo" : "Not its photo")}</li>`)}</ol></div>
  </div>`;
}

function card(hit, alt) {
  return html`<figure class="card ${hit.true ? "is-true" : ""}">${photo(hit, `${alt}: ${fileName(hit.path)}`, 320)}
    <figcaption><span>${number(hit.rank)}. <span class="soft">${score(hit.score)}</span></span>
      ${hit.true ? html`<strong class="good">true</strong>` : html`<span class="soft" title="Its score less that of the truth">${above(hit.above)}</span>`}</figcaption></figure>`;
}

/** A photo that leads to itself, large, on the page that searches. */
function photo(facts, alt, size) {
  return html`<a href="./?photo=${facts.photo}"><img src=${thumbnail(facts.photo, size, facts.content)} alt=${alt}
    width=${facts.width ?? nothing} height=${facts.height ?? nothing}></a>`;
}

function captions(truths, hits) {
  const row = (hit) => html`<tr class=${hit.true ? "is-true" : ""}><td class="number">${number(hit.rank)}</td><td>${hit.text}
      ${hit.true ? html`<strong class="good">true</strong>` : nothing}</td>
    <td class="number">${score(hit.score)}</td><td class="number">${hit.true && hit.above === 0 ? "" : above(hit.above)}</td></tr>`;
  const listed = (title, some) => html`<h3>${title}</h3><div class="wide" role="region" aria-label=${title} tabindex="0"><table class="texts">
    <thead><tr><th scope="col">Rank</th><th scope="col">Caption</th><th scope="col">Score</th><th scope="col">Above the truth</th></tr></thead>
    <tbody>${some.map(row)}</tbody></table></div>`;
  return html`${listed(`The first ${hits.length} hits`, hits)}${listed(truths.length === 1 ? "Its caption" : "Its captions, and where they came", truths)}`;
}
