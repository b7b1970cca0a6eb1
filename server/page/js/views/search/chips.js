// Filters that have no panel of their own, as chips that can be taken away: nothing in the address is ignored silently.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { CLOSE } from "../../components/icons.js";
import { chipsOf } from "../../state/chips.js";

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
