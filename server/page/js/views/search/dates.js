// The panel of dates: bars of how many photos are from when, years and months, and two days.

import { html, nothing } from "../../../vendor/lit-html.js";
import { count, dayAfter, firstDay, lastDay, monthName, number, spanOf } from "../../components/words.js";
import { histogram } from "../browse/histogram.js";

/**
 * The panel for what /api/facets says. `year` is the one whose months are listed, null for that of the filter; `open(year)`
 * is called when another is chosen, and `change(changes)` with the filter.
 */
export function dates({ years = [], months = [] }, state, { year, open, change }) {
  const opened = year ?? state.after.slice(0, 4);
  const its = months.filter((month) => month.value.startsWith(`${opened}-`));
  const between = (moved) => change(moveEnd(state, moved));
  const span = (one, name) => spanButton(one, name, state, (value, changes) => {
    open(value.slice(0, 4));
    change(changes);
  });
  return html`
    ${histogram({ months, after: state.after, before: state.before, choose: change })}
    ${years.length ? html`<ul>${years.map((one) => html`<li>${span(one, one.value)}
      ${one.value === opened && its.length
        ? html`<ul>${its.map((month) => html`<li>${span(month, monthName(month.value))}</li>`)}</ul>`
        : nothing}</li>`)}</ul>` : nothing}
    <div class="days">
      <label>From <input type="date" .value=${firstDay(state.after)}
        @change=${(event) => between({ after: event.target.value })}></label>
      <label>To <input type="date" .value=${lastDay(state.before)}
        @change=${(event) => between({ before: dayAfter(event.target.value) })}></label>
    </div>`;
}

/** A span of which one end has moved; the other goes where it would leave nothing. */
function moveEnd({ after, before }, moved) {
  const next = { after: firstDay(after), before: before && dayAfter(lastDay(before)), ...moved };
  if (next.after && next.before && next.after >= next.before) {
    if ("after" in moved) next.before = dayAfter(next.after);
    else next.after = lastDay(next.before);
  }
  return next;
}

/** A year or month to choose; pressed again, any date passes. */
function spanButton({ value, photos }, name, state, choose) {
  const wanted = spanOf(value);
  const on = state.after === wanted.after && state.before === wanted.before;
  return html`<button class="choice" aria-pressed=${on ? "true" : "false"} title=${count(photos, "photo")}
    @click=${() => choose(value, on ? { after: "", before: "" } : wanted)}>
    <span class="value">${name}</span> <span class="soft">${number(photos)}</span></button>`;
}
