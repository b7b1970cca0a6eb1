// The page of a library without photos: where photos may come from, and how the first run goes.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { newFolders, paceOf, workOf } from "../indexing/words.js";
import { pickFolder } from "./picker.js";

/**
 * The start in `element`. `actions` are what its buttons do: index(number or null for all), indexIn(path), add(files),
 * stop().
 */
export function mountStart(element, actions) {
  let now = { status: null, run: null, problem: "" };
  function draw() {
    const { status, run, problem } = now;
    const isEmpty = status !== null && run !== null && status.photos === status.failed.length;
    element.hidden = !isEmpty;
    document.documentElement.classList.toggle("is-starting", isEmpty);
    if (!isEmpty) return;
    const focused = element.contains(document.activeElement);
    render(
      html`<div class="start">
        ${run.running ? working(run) : resting(status, run)}
        ${problem ? html`<p class="trouble" role="alert">${problem}</p>` : nothing}
      </div>`,
      element,
    );
    if (focused && !element.contains(document.activeElement)) element.querySelector("button")?.focus();
  }

  function resting(status, run) {
    const known = newFolders(status);
    const isTried = status.folders.length > 0; // and nothing was found in them
    return html`
      <h2>${isTried ? "No photos found yet" : "No photos here yet"}</h2>
      <p>${isTried
        ? `There ${status.failed.length ? "are none that can be read" : "are none"} in ${status.folders.map(({ path }) => path).join(", ")}.`
        : "Say where your photos are. They stay where they are and are only read."}</p>
      ${run.stopped ? html`<p>Stopped. What was finished is kept.</p>` : nothing}
      <div class="ways">
        ${known.length > 1 ? html`<button class="button main" @click=${() => actions.index(null)}>Index all ${known.length} folders</button>` : nothing}
        ${known.map(({ number, name, path }) => html`<button class="button ${known.length > 1 ? "" : "main"}" title=${path}
          @click=${() => actions.index(number)}>Index “${name}”</button>`)}
        ${status.choosing ? html`<button class="button ${known.length ? "" : "main"}" @click=${choose}>Choose a folder…</button>` : nothing}
        ${isTried ? html`<button class="button" @click=${() => actions.index(null)}>Look again</button>` : nothing}
        ${status.adding ? html`<label class="button ${known.length || status.choosing ? "" : "main"}">Add photos…
          <input type="file" multiple accept="image/*" class="visually-hidden" @change=${take}></label>` : nothing}
      </div>
      ${status.adding ? html`<p class="soft">Or drop photos, or a folder of them, on this page.</p>` : nothing}
      <p class="soft hint">In a terminal: <code>twobranch index ~/Pictures</code></p>`;
  }

  const working = (run) => html`
    <h2>${workOf(run)}</h2>
    <p role="status">${paceOf(run) || "Photos appear here as soon as the first are done."}</p>
    ${run.total
      ? html`<progress aria-label="Indexing" max=${run.total} .value=${run.done}></progress>`
      : html`<progress aria-label="Indexing"></progress>`}
    <div class="ways"><button class="button" aria-disabled=${String(run.stopping)} @click=${actions.stop}>Stop</button></div>`;

  async function choose() {
    const path = await pickFolder();
    if (path) actions.indexIn(path);
  }

  function take(event) {
    const files = [...event.target.files];
    event.target.value = ""; // so that the same can be chosen again
    if (files.length) actions.add(files);
  }

  return {
    /** How the library and its runs stand, as the bar knows them. */
    show(its) {
      now = its;
      draw();
    },
    get isShown() {
      return !element.hidden;
    },
  };
}
