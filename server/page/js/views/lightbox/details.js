// What is known of a photo, beside its picture.

import { html, nothing } from "../../../vendor/lit-html.js";
import { thumbnail } from "../../api/client.js";
import { bytes, momentOf, nameOf, number, percent } from "../../components/words.js";

/**
 * The facts of a photo as /api/photos/{id} has them (null while they are on their way) and of its hit (null if it was
 * not found by this search). `open(id)` shows another photo, `copied` whether its path was just copied.
 */
export function details(facts, hit, { open, copy, copied }) {
  if (!facts) return html`<h2>${nameOf(hit?.path)}</h2>`;
  return html`
    <h2>${facts.name}</h2>
    ${facts.failure ? html`<p class="bad">${facts.failure}</p>` : nothing}
    ${facts.captions.length
      ? html`<ul class="said">${facts.captions.map((one) => html`<li>${one.text}</li>`)}</ul>`
      : nothing}
    <dl>
      ${hit?.confidence != null ? fact("Match", `${percent(hit.confidence)} probable`) : nothing}
      ${hit?.matched.length ? fact("Words", `in its ${hit.matched.join(", ")}`) : nothing}
      ${hit?.score != null ? fact("Score", hit.score.toFixed(3) + (hit.words ? ` + ${hit.words.toFixed(3)} for words` : "")) : nothing}
      ${facts.date ? fact(facts.date_from === "file" ? "File of" : "Taken", momentOf(facts.date)) : nothing}
      ${facts.camera ? fact("Camera", facts.camera) : nothing}
      ${facts.latitude != null ? fact("Place", place(facts)) : nothing}
      ${facts.keywords.length ? fact("Keywords", facts.keywords.join(", ")) : nothing}
      ${fact("File", html`${facts.width ? html`${number(facts.width)} × ${number(facts.height)}, ` : nothing}${facts.format}, ${bytes(facts.bytes)}`)}
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

/** Coordinates; the map is elsewhere, and is only told where if one follows the link. */
function place({ latitude, longitude }) {
  const [north, east] = [latitude.toFixed(5), longitude.toFixed(5)];
  return html`<a target="_blank" rel="noopener noreferrer"
    href="https://www.openstreetmap.org/?mlat=${north}&mlon=${east}#map=15/${north}/${east}">${north}, ${east}</a>`;
}
