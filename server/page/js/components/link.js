// Links to another state of the page, without loading it anew.

import { html } from "../../vendor/lit-html.js";

/** A link to a page with only these filters: `linkTo(filters)` is its address, `go(filters)` leads there. */
export function link(linkTo, go, filters, text) {
  return html`<a href=${linkTo(filters)} @click=${(event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // a new tab is the browser's business
    event.preventDefault();
    go(filters);
  }}>${text}</a>`;
}
