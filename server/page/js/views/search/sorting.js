// The order of what is shown, as one choice of sort and direction.

import { html, render } from "../../../vendor/lit-html.js";
import { isBrowsing, isQuery } from "../../state/search.js";

const ORDERS = [
  { value: "relevance", text: "Best first", is: isQuery },
  { value: "date", text: "Newest first" },
  { value: "date asc", text: "Oldest first", is: isBrowsing },
  { value: "folder", text: "By folder" },
  { value: "size", text: "Largest first" },
  { value: "size asc", text: "Smallest first", is: isBrowsing },
];

/** Show the order of a state in a `select`, with the orders that there are for it. */
export function showSorting(select, state) {
  const sort = !isQuery(state) && state.sort === "relevance" ? "date" : state.sort;
  const chosen = isBrowsing(state) && state.order === "asc" ? `${sort} asc` : sort;
  const there = ORDERS.filter(({ is }) => !is || is(state));
  render(there.map(({ value, text }) => html`<option value=${value} .selected=${value === chosen}>${text}</option>`), select);
  select.value = chosen;
}

/** The changes of the state for a choice. */
export function sortingOf(value) {
  const [sort, order = ""] = value.split(" ");
  return { sort, order };
}
