// The left side of the explorer: what is asked, how good the answers are, the histogram of ranks, the list.

import { html, nothing } from "../../../vendor/lit-html.js";
import { thumbnail } from "../../api/client.js";

const DIRECTIONS = { text_to_image: "Captions → photos", image_to_text: "Photos → captions" };
const SORTS = { worst: "Worst first", best: "Best first", closest: "Nearest misses first", caption: "In the order of the file" };
const number = (value) => value.toLocaleString("en");

/** The explorer with its controls, list and, beside it, the detail. */
export function queryList(list, state, tools, { busy, slow }, detail) {
  return html`
    <div class="controls">
      <fieldset class="tabs"><legend class="visually-hidden">Direction</legend>
        ${Object.entries(DIRECTIONS).map(
          ([name, title]) => html`<label><input type="radio" name="direction" .checked=${state.direction === name}
            @change=${() => tools.choose({ direction: name, rank: "" })}><span>${title}</span></label>`,
        )}</fieldset>
      <select aria-label="Split" @change=${(event) => tools.choose({ split: event.target.value, rank: "" })}>
          ${tools.splits.map(
            ({ name, captions }) => html`<option value=${name ?? "-"} .selected=${(name ?? "-") === tools.split}>
              ${name ?? "all captions"} (${number(captions)})</option>`,
          )}
          ${tools.splits.length > 1 && tools.splits.every((one) => one.name !== null)
            ? html`<option value="-" .selected=${tools.split === "-"}>all splits</option>`
            : nothing}
        </select>
      <input class="grow" type="search" aria-label="Captions with these letters" placeholder="Captions with a word" maxlength="200" autocomplete="off" spellcheck="false"
          .value=${state.contains} @input=${(event) => tools.type(event.target.value)}>
      <select aria-label="Order" @change=${(event) => tools.choose({ sort: event.target.value })}>
          ${Object.entries(SORTS).map(([name, title]) => html`<option value=${name} .selected=${state.sort === name}>${title}</option>`)}
      </select>
    </div>
    <div role="status">${slow ? html`<p class="busy">Ranking every query against everything; the first time this takes seconds…</p>` : nothing}</div>
    ${list
      ? html`${recall(list)}${histogram(list, state, tools)}
          <div class="explorer ${busy ? "stale" : ""}">
            <div class="side">
              <p class="soft" role="status">${count(list)}</p>
              ${list.queries.length
                ? html`<ol class="query-list" aria-label="Queries">${list.queries.map((query) => entry(query, tools))}
                    ${list.queries.length < list.total
                      ? html`<li><button class="button" @click=${tools.more}>Show more</button></li>`
                      : nothing}</ol>`
                : html`<p class="empty">No query has these letters and this rank.</p>`}
            </div>
            ${detail}
          </div>`
      : nothing}`;
}

function recall(list) {
  const shown = (facts) => html`<strong>${[1, 5, 10].map((k) => facts[`R@${k}`].toFixed(1)).join(" / ")}</strong>, median rank ${facts.median_rank}`;
  return html`<p>R@1/5/10 of all ${number(list.recall.n_queries)} queries among ${number(list.recall.n_gallery)}: ${shown(list.recall)}
    ${list.containing ? html`<br>of the ${number(list.containing.queries)} with these letters: ${shown(list.containing)}` : nothing}</p>`;
}

/** Bars of how many queries have which rank; a click shows those alone. */
function histogram(list, state, tools) {
  const most = Math.max(1, ...list.histogram.map((bar) => bar.queries));
  const all = list.histogram.reduce((sum, bar) => sum + bar.queries, 0);
  return html`<div class="histogram" role="group" aria-label="Queries by rank; choose a bar to see those alone">
    ${list.histogram.map((bar) => {
      const name = bar.first === bar.last ? number(bar.first) : `${number(bar.first)}–${number(bar.last)}`;
      const rank = `${bar.first}-${bar.last}`;
      const share = all ? (100 * bar.queries) / all : 0;
      return html`<button aria-pressed=${state.rank === rank} ?disabled=${!bar.queries && state.rank !== rank}
        aria-label="Rank ${name}: ${number(bar.queries)} queries, ${share.toFixed(1)}%"
        @click=${() => tools.choose({ rank: state.rank === rank ? "" : rank })}>
        <span class="count">${number(bar.queries)}</span>
        <span class="column"><span class="bar" .style=${`height: ${(100 * bar.queries) / most}%`}></span></span>
        <span class="range">${name}</span></button>`;
    })}
  </div>`;
}

function count(list) {
  const [from, to] = list.rank.split("-");
  const rank = from ? ` with rank ${from === to ? from : `${number(Number(from))} to ${number(Number(to))}`}` : "";
  return `${number(list.total)} ${list.total === 1 ? "query" : "queries"}${rank}`;
}

function entry(query, tools) {
  return html`<li><a href=${tools.link(query)} aria-current=${tools.isCurrent(query) ? "true" : nothing}
    @click=${(event) => tools.open(query, event)}>
    ${query.text === null
      ? html`<img src=${thumbnail(query.photo, 320, query.content)} alt="" loading="lazy" width="56" height="56"><span>${fileName(query.path)}</span>`
      : html`<span>${query.text}</span>`}
    <span class="rank ${query.rank === 1 ? "good" : query.rank > 10 ? "bad" : ""}"><span class="visually-hidden">rank </span>${number(query.rank)}</span></a></li>`;
}

export const fileName = (path) => (path ?? "").split(/[\\/]/).at(-1);
