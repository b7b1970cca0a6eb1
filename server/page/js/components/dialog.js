// Small dialogs over the page: a name that is asked for, a decision, a text to copy. Each is made when it is opened and
// gone when it is closed; the browser gives the focus back.

import { html, nothing, render } from "../../vendor/lit-html.js";

/**
 * A dialog in the middle of the page. `content({close, say})` is its template, `say(text)` shows what went wrong in it.
 * Resolves with what `close` was called with, or null.
 * @param {string} title
 * @param {(tools: {close: (value?: unknown) => void, say: (text: string) => void}) => unknown} content
 * @param {string} [kind] a class for its looks
 * @returns {Promise<any>}
 */
export function openDialog(title, content, kind = "") {
  const dialog = document.createElement("dialog");
  dialog.className = `small-dialog ${kind}`;
  dialog.setAttribute("aria-label", title);
  let problem = "";
  /** @type {unknown} */
  let result = null;
  const close = (value = null) => {
    result = value;
    dialog.close();
  };
  const draw = () =>
    render(
      html`<h2>${title}</h2>${content({ close, say })}
        ${problem ? html`<p class="problem" role="alert">${problem}</p>` : nothing}`,
      dialog,
    );
  const say = (text) => {
    problem = text;
    draw();
  };
  draw();
  document.body.append(dialog);
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // no shortcut of the page below
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    dialog.showModal();
  });
}

/**
 * Ask for a name and do something with it; what fails is said in the dialog, and one can try again.
 * @param {{title: string, label: string, button: string, value?: string, note?: string, act: (name: string) => Promise<unknown>}} asked
 * @returns {Promise<any>} what `act` gave, or null
 */
export function askName({ title, label, button, value = "", note = "", act }) {
  return openDialog(title, ({ close, say }) => {
    const submit = async (event) => {
      event.preventDefault();
      const name = event.target.elements.name.value.trim();
      if (!name) return;
      try {
        close(await act(name));
      } catch (error) {
        say(error.message);
      }
    };
    return html`<form @submit=${submit}>
      <label>${label} <input name="name" type="text" .defaultValue=${value} maxlength="200" required autocomplete="off" autofocus></label>
      ${note ? html`<p class="soft">${note}</p>` : nothing}
      <div class="answers">
        <button type="button" class="button" @click=${() => close()}>Cancel</button>
        <button class="button main">${button}</button>
      </div>
    </form>`;
  });
}

/** Ask once whether to do something; true if it was done. */
export function confirm({ title, text, button, act }) {
  return openDialog(title, ({ close, say }) => {
    const decide = async () => {
      try {
        await act();
        close(true);
      } catch (error) {
        say(error.message);
      }
    };
    return html`<p>${text}</p>
      <div class="answers">
        <button class="button" autofocus @click=${() => close()}>Cancel</button>
        <button class="button main" @click=${decide}>${button}</button>
      </div>`;
  });
}

/** Copy a text; where the browser gives no clipboard (over plain HTTP), show it to be copied. True if it was copied. */
export async function copyText(text, title) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const select = (event) => event.target.select();
    openDialog(title, ({ close }) => html`<p class="soft">This browser lets the page copy nothing. Copy it with your keys.</p>
      <textarea readonly rows="8" autofocus aria-label=${title} @focus=${select} .value=${text}></textarea>
      <div class="answers"><button class="button main" @click=${() => close()}>Done</button></div>`);
    return false;
  }
}
