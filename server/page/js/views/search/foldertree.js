// Folders as a tree of choices: a folder's own folders are listed when it is opened.

import { html, nothing } from "../../../vendor/lit-html.js";
import { RIGHT } from "../../components/icons.js";
import { childrenOf, holds, lastPart } from "../../state/folders.js";

/**
 * The items of a list. `folders` as /api/facets has them; `box(folder, name)` is the choice of one, `chosen` those that
 * are chosen, `isOpen(value)` and `toggle(value)` whether its folders are listed.
 */
export function folderTree(folders, { box, chosen, isOpen, toggle }) {
  const children = childrenOf(folders);

  function item(at) {
    const folder = folders[at];
    const within = children.get(at) ?? [];
    const name = lastPart(folder, folders);
    if (!within.length) return html`<li class="folder">${box(folder, name)}</li>`;
    // A chosen folder must be seen, wherever it is.
    const open = isOpen(folder.value) !== chosen.some((value) => holds(folder.value, value));
    return html`<li class="folder">
      <div class="with-folders">
        <button class="sign ${open ? "open" : ""}" aria-expanded=${String(open)} aria-label="Folders in ${name}" @click=${() => toggle(folder.value)}>${RIGHT}</button>
        ${box(folder, name)}
      </div>
      ${open ? html`<ul>${within.map(item)}</ul>` : nothing}
    </li>`;
  }

  return (children.get(null) ?? []).map(item);
}
