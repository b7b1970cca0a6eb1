// Photos that are dropped or chosen are added to the library: asked once, with progress, and what was refused is said.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { addPhotos, batches } from "../../api/start.js";
import { openDialog } from "../../components/dialog.js";
import { count, number } from "../../components/words.js";
import { picturesOf } from "./dropped.js";

const MOST_REFUSED = 50; // in the list

/**
 * Ask whether to add these files, and do so. `added()` is called when the first are there.
 * @param {File[]} files
 * @param {{added: () => void, ask?: boolean}} options
 */
export async function offerToAdd(files, { added, ask = true }) {
  const pictures = picturesOf(files);
  if (!pictures.length) {
    await tell("No photos among them", html`<p>None of ${count(files.length, "file")} is a picture.</p>`);
    return;
  }
  if (ask && !(await isWanted(pictures, files.length - pictures.length))) return;
  const failed = await send(pictures, added);
  if (failed.length) await tell(`${count(failed.length, "file")} not added`, refusals(failed));
}

function isWanted(pictures, others) {
  return openDialog(`Add ${count(pictures.length, "photo")}?`, ({ close }) => html`
    <p>They are copied into the library on the server and can be searched for a moment later.
      ${others ? `${count(others, "file")} that ${others === 1 ? "is" : "are"} no picture ${others === 1 ? "is" : "are"} left out.` : nothing}</p>
    <div class="answers">
      <button class="button" @click=${() => close()}>Cancel</button>
      <button class="button main" autofocus @click=${() => close(true)}>Add ${pictures.length === 1 ? "it" : "them"}</button>
    </div>`);
}

/** Send them, a few at a time; those that the server did not take, with its reasons. */
async function send(pictures, added) {
  const stop = new AbortController();
  const bar = progressDialog(pictures.length, () => stop.abort());
  const failed = [];
  let done = 0;
  try {
    for (const batch of batches(pictures)) {
      const its = await addPhotos(batch, stop.signal);
      failed.push(...its.failed);
      done += batch.length;
      bar.show(done);
      if (its.added.length) added();
      if (its.problem) failed.push({ name: "The library", reason: its.problem });
    }
  } catch (error) {
    if (error.name !== "AbortError") failed.push({ name: count(pictures.length - done, "photo"), reason: error.message });
  } finally {
    bar.close();
  }
  return failed;
}

function progressDialog(total, cancel) {
  let finish = () => {};
  const place = document.createElement("div");
  const show = (done) =>
    render(
      html`<p role="status">${number(done)} of ${number(total)}</p><progress aria-label="Adding photos" max=${total} .value=${done}></progress>`,
      place,
    );
  show(0);
  openDialog(`Adding ${count(total, "photo")}`, ({ close }) => {
    finish = () => close(true);
    return html`${place}<div class="answers"><button class="button" @click=${() => close()}>Cancel</button></div>`;
  }).then((isFinished) => isFinished || cancel());
  return { show, close: () => finish() };
}

const refusals = (failed) => html`<ul class="refusals">
    ${failed.slice(0, MOST_REFUSED).map(({ name, reason }) => html`<li><b>${name}</b> ${reason}</li>`)}
  </ul>${failed.length > MOST_REFUSED ? html`<p>… and ${number(failed.length - MOST_REFUSED)} more.</p>` : nothing}`;

const tell = (title, content) =>
  openDialog(title, ({ close }) => html`${content}<div class="answers"><button class="button main" autofocus @click=${() => close()}>Close</button></div>`);
