// Filters that have no panel of their own, as chips that can be taken away: nothing in the address is ignored silently.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { CLOSE } from "../../components/icons.js";
import { monthDay } from "../../components/words.js";

/** What each says of a state, as [what is said, what goes with it] for each of its values. */
const CHIPS = {
  near: ({ near, within }) => (near ? [[`Within ${within || "10km"} of ${near}`, { near: "", within: "" }]] : []),
  within: ({ near, within }) => (within && !near ? [[`Within ${within} of nowhere`, { within: "" }]] : []),
  day: ({ day }) => (day ? [[`On ${monthDay(day)} of any year`, { day: "" }]] : []),
  min_size: (state) => (state.min_size ? [[`At least ${state.min_size}`, { min_size: "" }]] : []),
  not_path: (state) => each(state, "not_path", (value) => `Not in ${value}`),
};

const each = (state, name, say) =>
  state[name].map((value) => [say(value), { [name]: state[name].filter((one) => one !== value) }]);

/** The words of all chips for a state, each with the changes that take it away. */
export const chipsOf = (state) => Object.values(CHIPS).flatMap((of) => of(state));

/** Chips in `element`; `change(changes)` takes one away. */
export function showChips(element, state, change) {
  const chips = chipsOf(state);
  element.hidden = !chips.length;
  render(
    chips.length
      ? chips.map(([text, changes]) => html`<span class="filter on">
          <span class="chip"><span>${text}</span></span>
          <button class="chip end" aria-label="Remove: ${text}" @click=${() => change(changes)}>${CLOSE}</button>
        </span>`)
      : nothing,
    element,
  );
}
