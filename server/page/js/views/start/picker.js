// A dialog that goes through the folders of the server and chooses one.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { folders } from "../../api/start.js";
import { openDialog } from "../../components/dialog.js";
import { FOLDER } from "../../components/icons.js";
import { count, number } from "../../components/words.js";

/** Let somebody choose a folder; its path, or null. @returns {Promise<string | null>} */
export function pickFolder() {
  const place = document.createElement("div");
  place.className = "picker";
  const trail = [{ name: "Start", path: "" }]; // the folders down to the one that is shown
  /** @type {import("../../api/start.js").Folder | null} */
  let shown = null;
  let problem = "";
  let turn = 0; // only the answer to the latest request counts

  async function go(to, isUp = false) {
    const from = trail.at(-1).path;
    const mine = ++turn;
    try {
      const its = await folders(to.path);
      if (mine !== turn) return;
      shown = its;
      problem = "";
      const at = trail.findIndex(({ path }) => path === to.path);
      if (at < 0) trail.push(to);
      else trail.length = at + 1;
    } catch (error) {
      if (mine !== turn) return;
      problem = error.message;
    }
    draw();
    const all = lines();
    (isUp ? all.find((line) => line.dataset.path === from) ?? all[0] : all[0])?.focus();
  }

  const up = () => trail.length > 1 && go(trail.at(-2), true);
  /** @returns {HTMLElement[]} */
  const lines = () => Array.from(place.querySelectorAll(".folders button"));

  function draw() {
    render(
      html`<nav aria-label="Folders above"><ol>${trail.map((one, at) => html`<li>${at === trail.length - 1
          ? html`<span aria-current="location">${one.name}</span>`
          : html`<button type="button" class="plain" @click=${() => go(one, true)}>${one.name}</button>`}</li>`)}</ol></nav>
        ${problem ? html`<p class="problem" role="alert">${problem}</p>` : nothing}
        <ul class="folders" aria-label=${`Folders in ${trail.at(-1).name}`} @keydown=${key}>${(shown?.folders ?? []).map(line)}</ul>
        ${shown && !shown.folders.length ? html`<p class="soft">No folders in here.</p>` : nothing}
        ${shown?.photos ? html`<p class="here soft" role="status">${count(shown.photos, "photo")} in this folder itself</p>` : nothing}
        ${shown?.more ? html`<p class="soft">Only the first ${number(shown.folders.length)} folders are listed.</p>` : nothing}`,
      place,
    );
  }

  const line = (folder) => html`<li><button type="button" data-path=${folder.path} @click=${() => go({ name: folder.name, path: folder.path })}>
      ${FOLDER}<span class="value">${folder.name}</span>
      <span class="soft">${folder.photos === null ? nothing : count(folder.photos, "photo")}</span>
    </button></li>`;

  function key(event) {
    const all = lines();
    const at = all.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) all[Math.max(0, Math.min(all.length - 1, to))]?.focus();
    else if (event.key === "ArrowRight") all[at]?.click();
    else if (event.key === "ArrowLeft" || event.key === "Backspace") up();
    else return;
    event.preventDefault();
  }

  /** Where there is one way only, it is gone at once. */
  async function begin() {
    await go(trail[0]);
    if (shown?.folders.length === 1 && trail.length === 1) go(shown.folders[0]);
  }

  draw();
  begin();
  return openDialog("Choose a folder of photos", ({ close, say }) => {
    const choose = () => {
      const { name, path } = trail.at(-1);
      if (path) close(path);
      else say(`Open a folder first: “${name}” is only where one begins.`);
    };
    return html`<p class="soft">Its photos, and those in all folders below it, can be searched afterwards. They stay where they are.</p>
      ${place}
      <div class="answers">
        <button class="button" @click=${() => close()}>Cancel</button>
        <button class="button main" @click=${choose}>Use this folder</button>
      </div>`;
  }, "picker-dialog");
}
