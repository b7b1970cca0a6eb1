// The panel of ratings and favourites.

import { html } from "../../../vendor/lit-html.js";
import { number } from "../../components/words.js";
import { atLeast, stars } from "../../state/ratings.js";

/** What is chosen, in words; "" for nothing. */
export function ratingName({ rating, favourite }) {
  const said = { true: "favourites", false: "no favourites" }[favourite] ?? "";
  return [rating && stars(rating), said].filter(Boolean).join(", ");
}

/** Choices with the counts of /api/albums; `change(changes)` is called with what was chosen. */
export function ratings({ ratings: counts, favourites }, state, change) {
  return html`
    <ul><li><label><input type="checkbox" .checked=${state.favourite === "true"}
      @change=${(event) => change({ favourite: event.target.checked ? "true" : "" })}>
      <span class="value">Favourites</span> <span class="soft">${number(favourites)}</span></label></li></ul>
    <ul class="days">${atLeast(counts).map(
      ({ value, photos }) => html`<li><button class="choice" aria-pressed=${String(state.rating === value)}
        @click=${() => change({ rating: state.rating === value ? "" : value })}>
        <span class="value">${stars(value)}</span> <span class="soft">${number(photos)}</span></button></li>`,
    )}</ul>`;
}
