// What is searched for beside words, as small chips in the field: a picture, photos liked and not.

import { html, nothing, render } from "../../../vendor/lit-html.js";
import { partView, pictureView, thumbnail } from "../../api/client.js";
import { CLOSE, LESS, MORE } from "../../components/icons.js";
import { without } from "../../state/search.js";

/**
 * Chips in `element` for a state; `change(changes)` takes one away. `part` is what the answer says about the part that is
 * searched for, null before it has come.
 */
export function showGiven(element, state, change, part) {
  const chips = [
    ...(state.picture ? [chip(pictureView(state.picture), "Your picture", "", () => change({ picture: "" }))] : []),
    ...state.like.map((id, at) => {
      const remove = () => change(without(state, "like", id));
      if (at || !state.box) return chip(thumbnail(id, 320), "More like this photo", MORE, remove);
      const isOf = part && String(part.photo) === id && part.box.join() === state.box;
      return chip(partView(id, state.box), `like a part of ${isOf ? part.name : "a photo"}`, "", remove, true);
    }),
    ...state.unlike.map((id) =>
      chip(thumbnail(id, 320), "Less like this photo", LESS, () => change(without(state, "unlike", id))),
    ),
  ];
  render(chips, element);
}

function chip(picture, name, sign, remove, isSaid = false) {
  return html`<span class="given">
    <img src=${picture} alt=${isSaid ? "" : name} width="28" height="28">${sign}${isSaid ? html`<span class="said-name" title=${name}>${name}</span>` : nothing}
    <button aria-label="Remove: ${name}" @click=${remove}>${CLOSE}</button>
  </span>`;
}
