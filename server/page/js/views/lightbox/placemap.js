// The place of a photo on a small map. Its code and data are loaded with the first photo that has a place.

import { nothing } from "../../../vendor/lit-html.js";
import { placeWords } from "../../components/title.js";

/** Gives, for the facts of a photo, an element with its map, the same one as long as it is the same photo. */
export function makePlaceMap() {
  let shown = null; // {photo, element}

  return (facts) => {
    if (facts?.latitude == null) return nothing;
    if (shown?.photo !== facts.photo) shown = { photo: facts.photo, element: begun(facts) };
    return shown.element;
  };
}

function begun({ latitude, longitude, place }) {
  const element = document.createElement("div");
  element.className = "small-map";
  import("../../components/map.js") // it comes when the element is in the page, which it has to be
    .then(({ smallMap }) => smallMap(element, latitude, longitude, place ? placeWords(place) : ""))
    .catch(() => (element.hidden = true)); // the coordinates stand beside it
  return element;
}
