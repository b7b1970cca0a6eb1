// What is known of a photo, beside its picture.

import { html, nothing } from "../../../vendor/lit-html.js";
import { thumbnail } from "../../api/client.js";
import { link } from "../../components/link.js";
import { dayOf, placeWords, titleOf } from "../../components/title.js";
import { bytes, momentOf, monthName, nameOf, number, spanOf } from "../../components/words.js";

const NEAR = "5 km"; // of the photos that a photo's place leads to

/** What a photo is called, and its file below that. Facts and hit as for `details`. */
export function heading(facts, hit) {
  const title = titleOf(facts, hit);
  const name = facts?.name ?? nameOf(hit?.path);
  return html`<h2>${title}</h2>${name && title !== name ? html`<p class="file-name soft">${name}</p>` : nothing}`;
}

/**
 * The facts of a photo as /api/photos/{id} has them (null while they are on their way) and of its hit (null if it was
 * not found by this search). `why` says in a sentence why it was; `map` is the place on a map. `open(id)` shows another
 * photo, `copied` whether its path was just copied, `linkTo` and `go` lead to a page with a filter.
 */
export function details(facts, hit, { why, map, open, copy, copied, linkTo, go }) {
  if (!facts) return nothing;
  const to = (filters, text) => link(linkTo, go, filters, text);
  return html`
    ${facts.failure ? html`<p class="bad">${facts.failure}</p>` : nothing}
    ${why ? html`<p class="why">${why}</p>` : nothing}
    ${facts.captions.length
      ? html`<ul class="said">${facts.captions.map((one) => html`<li>${one.text}</li>`)}</ul>`
      : nothing}
    <dl>
      ${hit?.score != null ? fact("Score", hit.score.toFixed(3) + (hit.words ? ` + ${hit.words.toFixed(3)} for words` : "")) : nothing}
      ${facts.date ? fact(facts.date_from === "file" ? "File of" : "Taken", taken(facts.date, to)) : nothing}
      ${facts.latitude != null ? fact("Place", place(facts, map, to)) : nothing}
      ${facts.camera ? fact("Camera", to({ camera: [facts.camera] }, facts.camera)) : nothing}
      ${facts.keywords.length ? fact("Keywords", facts.keywords.join(", ")) : nothing}
      ${fact("File", html`${facts.width ? html`${number(facts.width)} × ${number(facts.height)}, ` : nothing}${facts.format}, ${bytes(facts.bytes)}`)}
      ${fact("Folder", to({ path: [literal(facts.folder)] }, nameOf(facts.folder) || facts.folder))}
      ${fact("Path", html`<span class="path">${facts.path}</span>
        <button class="plain" @click=${() => copy(facts.path)}>${copied ? "Copied" : "Copy path"}</button>`)}
    </dl>
    ${facts.alike.length
      ? html`<h3>Almost the same</h3><div class="twins">${facts.alike.map(
          (one) => html`<button aria-label="Open ${nameOf(one.path)}" title=${one.path} @click=${() => open(one.photo)}>
            <img src=${thumbnail(one.photo, 320, one.content)} alt="" loading="lazy"></button>`,
        )}</div>`
      : nothing}`;
}

const fact = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

/** A pattern that this folder alone matches. */
const literal = (folder) => folder.replaceAll(/[*?[]/g, "[$&]");

/** A moment, and the ways to its day, its month, and that day of all years. */
function taken(date, to) {
  const [day, month] = [date.slice(0, 10), date.slice(0, 7)];
  return html`${to(spanOf(day), dayOf(date))}${momentOf(date).slice(dayOf(date).length)}
    <span class="more-of">${to(spanOf(month), `All of ${monthName(month)} ${month.slice(0, 4)}`)}</span>
    <span class="more-of">${to({ day: date.slice(5, 10) }, `${Number(date.slice(8, 10))} ${monthName(month)} of every year`)}</span>`;
}

/** The town with the map, and the coordinates: a map elsewhere is only told where if one follows that link. */
function place({ latitude, longitude, place: town }, map, to) {
  const [north, east] = [latitude.toFixed(5), longitude.toFixed(5)];
  return html`${town ? html`${to({ place: [town.label] }, placeWords(town))}<br>` : nothing}<a target="_blank" rel="noopener noreferrer"
    href="https://www.openstreetmap.org/?mlat=${north}&mlon=${east}#map=15/${north}/${east}">${north}, ${east}</a>
    <span class="more-of">${to({ near: `${north},${east}`, within: NEAR }, `Photos within ${NEAR}`)}</span>${map}`;
}
