// Beside the number of hits: save this search, copy its address.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { saveSearch } from "../../api/collections.js";
import { askName, copyText } from "../../components/dialog.js";
import { LINK, STAR } from "../../components/icons.js";
import { address, isFiltered, isQuery, parameters } from "../../state/search.js";

const TOLD_MS = 8000; // after which one has read what was done
const PICTURE = "The server keeps your picture only until it ends.";
const HERE = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** The two buttons in `element`, of the state that is shown. */
export function mountSaving(element) {
  let state = null;
  let said = "";
  let told = 0; // timer

  function draw() {
    const isSomething = isQuery(state) || isFiltered(state);
    render(
      isSomething
        ? html`<button class="button" title="Save this search" @click=${save}>${STAR}<span>Save this search</span></button>
            <button class="button" title="Copy link" @click=${copy}>${LINK}<span>Copy link</span></button>
            <span role="status">${said}</span>`
        : nothing,
      element,
    );
  }

  const plain = () => ({ ...state, photo: "", view: "photos" });

  async function save() {
    const saved = await askName({
      title: "Save this search",
      label: "Name",
      button: "Save",
      value: state.q.trim(),
      note: state.picture ? `${PICTURE} After that, this search finds nothing.` : "It fills itself: photos that come later are found by it, too.",
      act: (name) => saveSearch(name, String(parameters(plain()))),
    });
    if (saved) tell(`Saved as “${saved.name}”, in Albums`);
  }

  async function copy() {
    const link = new URL(address(plain()), location.href).href;
    if (!(await copyText(link, "Link to this search"))) return;
    const where = HERE.has(location.hostname)
      ? "It opens on this computer only."
      : `It opens where ${location.host} can be reached; whoever opens it needs its token, if it has one.`;
    tell(`Copied. ${where} ${state.picture ? PICTURE : ""}`);
  }

  function tell(text) {
    said = text;
    draw();
    clearTimeout(told);
    told = setTimeout(() => {
      said = "";
      draw();
    }, TOLD_MS);
  }

  return {
    show(its) {
      if (state && address(its) !== address(state)) said = "";
      state = its;
      draw();
    },
  };
}
