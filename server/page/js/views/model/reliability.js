// Whether confidence keeps its word on a split: what it said of first hits, and how many were right.

import { html, nothing } from "../../../vendor/lit-html.js";
import { ask } from "../../api/client.js";

/** A part of a page that fetches its numbers when it is opened; `paint()` shows the page anew. */
export function reliability(paint) {
  let open = false;
  let wanted = ""; // the question whose answer is shown or awaited
  let answer = null;

  async function load(question) {
    if (question === wanted) return;
    wanted = question;
    answer = null;
    let next;
    try {
      next = await ask(`api/explorer/confidence?${question}`);
    } catch (error) {
      next = { error: error.message };
    }
    if (question !== wanted) return; // another one was asked for since
    answer = next;
    paint();
  }

  /** The part for a direction and a split ("-": all captions). */
  return function shown(direction, split) {
    const question = String(new URLSearchParams(split === "-" ? { direction } : { direction, split }));
    if (open) load(question);
    return html`<details id="reliability" @toggle=${(event) => {
      open = event.target.open;
      paint();
    }}><summary>Does confidence keep its word here?</summary>${open ? told(answer) : nothing}</details>`;
  };
}

function told(answer) {
  if (answer === null) return html`<p class="busy" role="status">Counting…</p>`;
  if (answer.error) return html`<p class="trouble" role="alert">${answer.error}</p>`;
  if (answer.groups === null) return html`<p>The model of this library has no confidence for such queries.</p>`;
  const percent = (share) => `${(100 * share).toFixed(0)}%`;
  return html`<p class="soft">Confidence is made for questions of which half have no answer. So each of at most 2,000 queries is put twice: as it is, and
      with the truth taken out, where every hit is wrong. <em>Said</em> is the mean confidence of the first hits, <em>right</em> how many of them are the
      truth; that another photo fits a caption as well counts as wrong. On the dev photos of the model's own training this is no independent check.</p>
    <div class="wide" role="region" aria-label="Confidence of first hits" tabindex="0"><table>
      <thead><tr><th scope="col">Confidence</th><th scope="col" class="number">First hits</th><th scope="col" class="number">Said</th><th scope="col" class="number">Right</th></tr></thead>
      <tbody>${answer.groups.map(
        (group) => html`<tr><th scope="row">${percent(group.low)} to ${percent(group.high)}</th><td class="number">${group.hits.toLocaleString("en")}</td>
          <td class="number">${percent(group.said)}</td><td class="number">${percent(group.right)}</td></tr>`,
      )}</tbody></table></div>`;
}
