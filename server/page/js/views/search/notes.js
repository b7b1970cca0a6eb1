// What there is to say about an answer: what was put right, unknown words, why there is nothing to see.

import { html, nothing } from "../../../vendor/lit-html.js";
import { CLOSE } from "../../components/icons.js";
import { isFiltered, isQuery, WITHOUT_FILTERS } from "../../state/search.js";
import { count, number, wordsSpan } from "../../components/words.js";

/** How many there are, for the eye and for screen readers. */
export function countOf(answer, state) {
  if (answer && !answer.hits) return answer.photos ? count(answer.photos, "photo") : ""; // all of them are shown
  if (!answer || !answer.gallery) return "";
  const thing = state.in === "captions" ? "caption" : "photo";
  const n = answer.hits.length;
  if (!n) return `No ${thing}s`;
  const of = `of ${count(answer.gallery, thing)}`;
  const isDatesAlone = answer.dates?.used && !answer.query && !state.picture && !state.like.length;
  if (!isQuery(state) || isDatesAlone) return n < answer.gallery ? `The newest ${number(n)} ${of}` : `All ${count(n, thing)}`;
  const good = matching(answer);
  if (good === null || good === n) return `The best ${number(n)} ${of}`; // how many more match, nobody knows
  if (!good) return `None ${of} matches well`;
  if (!answer.hits.some((hit) => hit.tier === "likely")) {
    return `${number(good)} ${of} perhaps match${good === 1 ? "es" : ""}`;
  }
  return `${number(good)} ${of} match${good === 1 ? "es" : ""} well`;
}

/** After so many hits none matches well; null if nobody can tell. */
export const matching = (answer) => answer.n_matching;

/** The notes under the field. `change(changes)` is what their buttons do. */
export function notes(answer, state, change) {
  if (!answer?.hits) return nothing;
  const used = answer.corrections.filter((one) => one.used);
  const asked = answer.corrections.filter((one) => !one.used && one.known.length && state.correct === "true");
  const put = new Set(answer.corrections.map((one) => one.word));
  const unknown = answer.unknown_words.filter((word) => !put.has(word) || state.correct === "false");
  return html`
    ${answer.not_understood ? html`<p>${answer.not_understood.message}.</p>` : nothing}
    ${answer.dates ? dateNote(answer.dates, change) : nothing}
    ${used.length
      ? html`<p>Showing <b>${answer.query}</b>.
          <button class="plain" @click=${() => change({ correct: "false" })}>Search for ${state.q.trim()} instead</button></p>`
      : nothing}
    ${asked.map(
      (one) => html`<p>Did you mean ${one.known.map(
        (known, at) => html`${at ? " or " : ""}<button class="plain"
          @click=${() => change({ q: replaced(state.q, one.word, known) })}>${known}</button>`,
      )} instead of ${one.word}?</p>`,
    )}
    ${unknown.length
      ? html`<p>The model does not know ${unknown.map((word, at) => html`${at ? ", " : ""}<b>${word}</b>`)}.</p>`
      : nothing}
    ${languageNote(answer, state, change)}`;
}

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });

/** The language that the words were read in, where one may not expect it, and the way to another. */
function languageNote(answer, state, change) {
  if (!answer.language || (answer.language === "en" && !state.language)) return nothing;
  const [changes, said] = state.language
    ? [{ language: "" }, "Tell the language from the words"]
    : [{ language: "en" }, "Read as English"];
  return html`<p>Read as ${LANGUAGES.of(answer.language)}.
    <button class="plain" @click=${() => change(changes)}>${said}</button></p>`;
}

/** The words that were read as a date, as a filter that can be taken away. */
function dateNote(dates, change) {
  if (!dates.used) return html`<p>No photo is of <b>${dates.words}</b> (${wordsSpan(dates)}), so it is searched for as words.</p>`;
  return html`<p class="dates"><span class="filter on">
      <span class="chip"><span>Date: <b>${dates.words}</b></span></span>
      <button class="chip end" aria-label="Search for ${dates.words} as words"
        @click=${() => change({ dates: "false" })}>${CLOSE}</button>
    </span> ${wordsSpan(dates)}</p>`;
}

/** A text with a word of it replaced, whatever the case. */
function replaced(text, word, by) {
  const at = text.toLowerCase().indexOf(word.toLowerCase());
  return at < 0 ? text : text.slice(0, at) + by + text.slice(at + word.length);
}

/** What stands where the hits would be, if there are none. */
export function emptiness(answer, state, change) {
  if (!answer || (answer.hits ? answer.hits.length : answer.photos)) return nothing;
  const isBare = answer.hits ? !answer.gallery : !isFiltered(state);
  if (isBare && state.in === "captions") {
    return big("No captions here yet", html`<code>twobranch index photos --captions captions.txt</code> makes them searchable.`);
  }
  if (isBare) return nothing; // the start of the page says what to do (views/start)
  if (isFiltered(state)) {
    return big(
      "Nothing passes these filters",
      html`<button class="button" @click=${() => change(WITHOUT_FILTERS)}>Clear filters</button>`,
    );
  }
  return big("Nothing found", "Say it in other words, or look for something else.");
}

/** Something that went wrong, as its line of text, and what can be done. */
export function trouble(error, retry) {
  return html`<div class="trouble" role="alert"><p>${error.message}</p>
    ${error.status === 401
      ? html`<button class="button" @click=${() => location.reload()}>Log in</button>` // the server gives that page
      : retry
        ? html`<button class="button" @click=${retry}>Try again</button>`
        : nothing}</div>`;
}

const big = (title, text) => html`<div class="empty"><h2>${title}</h2><p>${text}</p></div>`;
