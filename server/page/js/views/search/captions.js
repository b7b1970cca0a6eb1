// Captions as a list to read.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { thumbnail } from "../../api/client.js";
import { nameOf } from "../../components/words.js";

/** Lets arrows go up and down the captions in `element`; `leave()` takes the focus above the first, or by Escape. */
export function walkCaptions(element, leave) {
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...element.querySelectorAll(".caption")];
    const at = all.findIndex((caption) => caption.parentElement.contains(event.target));
    if (event.key === "ArrowDown") all[at + 1]?.focus();
    else if (event.key === "Escape" || (event.key === "ArrowUp" && at === 0)) leave();
    else if (event.key === "ArrowUp") all[at - 1]?.focus();
    else return;
    event.preventDefault();
  });
}

/**
 * Caption hits in `element`, in the sections of the grid: `lookFor(caption)` searches photos with one, `open(hit)` shows
 * its photo. `addressOf` gives where each would lead.
 * @param {import("./grid.js").Section[]} sections
 */
export function showCaptions(element, hits, sections, { lookFor, open, addressOf }) {
  let start = 0;
  const parts = sections.map(({ photos, heading }) => ({ its: hits.slice(start, (start += photos)), heading }));
  render(
    parts.map(
      ({ its, heading }) => html`${heading ? html`<p class="weak-line">${heading.text}</p>` : nothing}
      <ul class="captions">${its.map((hit) => html`<li>
        ${hit.photo === null
          ? html`<span class="no-photo"></span>`
          : html`<a href=${addressOf({ photo: String(hit.photo) })} aria-label="Open ${nameOf(hit.path)}"
              @click=${(event) => followed(event, () => open(hit))}>
              <img src=${thumbnail(hit.photo, 320, hit.content)} alt="" loading="lazy" width="72" height="72"></a>`}
        <a class="caption" href=${addressOf({ q: hit.caption, in: "images" })}
          @click=${(event) => followed(event, () => lookFor(hit.caption))}>${hit.caption}</a>
      </li>`)}</ul>`,
    ),
    element,
  );
}

/** A plain click is ours; one for a new tab is the browser's. */
function followed(event, then) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  then();
}
