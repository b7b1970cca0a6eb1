// The keys of the page, in a dialog that `?` opens.

import { html, render } from "../../../vendor/lit-html.js";
import { closest } from "../../components/dom.js";
import { CLOSE } from "../../components/icons.js";

/** @type {[string, [string[], string][]][]} */
const GROUPS = [
  ["Anywhere", [
    [["/"], "to the search field"],
    [["?"], "these keys"],
    [["Esc"], "back: closes what is open"],
  ]],
  ["Photos", [
    [["←", "→", "↑", "↓"], "from photo to photo"],
    [["Home", "End"], "first and last photo"],
    [["Enter"], "open the photo"],
  ]],
  ["A photo seen large", [
    [["←", "→"], "previous and next photo"],
    [["+", "-"], "zoom in and out"],
    [["0"], "the whole photo"],
    [["Shift ← → ↑ ↓"], "move a zoomed photo"],
    [["f"], "full screen"],
    [["Space"], "slideshow, four seconds a photo"],
    [["l"], "favourite"],
    [["1 … 5"], "rate; the same again takes it back"],
    [["w"], "where the words are in it"],
    [["r"], "more like a part of it"],
  ]],
];

/** Puts the dialog into the page. Returns the function that opens it. */
export function mountKeys() {
  const dialog = document.createElement("dialog");
  dialog.className = "keys-help";
  dialog.setAttribute("aria-labelledby", "keys-title");
  document.body.append(dialog);

  function open() {
    render(
      html`<header><h2 id="keys-title">Keys</h2>
          <button class="sign" aria-label="Close" @click=${() => dialog.close()}>${CLOSE}</button></header>
        ${GROUPS.map(([title, keys]) => html`<section><h3>${title}</h3><dl>
          ${keys.map(([names, does]) => html`<div><dt>${names.map((name) => html`<kbd>${name}</kbd> `)}</dt><dd>${does}</dd></div>`)}
        </dl></section>`)}`,
      dialog,
    );
    if (!dialog.open) dialog.showModal();
  }

  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "?") dialog.close();
    event.stopPropagation();
  });
  document.addEventListener("keydown", (event) => {
    const typing = closest(event, "input:not([type=radio], [type=checkbox]), select, textarea");
    if (event.key !== "?" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    open();
  });
  return open;
}
