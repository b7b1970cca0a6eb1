// What a photo is called: when and where it was taken, or else its file.

import { nameOf } from "./words.js";

const FAR = 10; // kilometres from the middle of a town, beyond which one is near it

/** A day such as "4 July 2023" of a moment by the camera's clock. */
export function dayOf(text) {
  return new Date(text).toLocaleDateString("en-GB", { dateStyle: "long" });
}

/** A place's name for a title: "Paris", "near Paris"; "" without one. `place` is an object or, in lists, a text. */
export function placeName(place) {
  if (!place) return "";
  if (typeof place === "string") return place.split(",")[0];
  return place.km > FAR ? `near ${place.name}` : place.name;
}

/** All of a place: "Paris, Ile-de-France, France". */
export const placeWords = ({ name, region, country }) =>
  [name, region !== name && region, country].filter(Boolean).join(", ");

/**
 * The title of a photo by its facts, or by its hit until they have come: "4 July 2023, Paris". The date of a file says
 * little of the photo, so without one of the camera, and without a place, it is the file's name.
 */
export function titleOf(facts, hit) {
  const { date, date_from: from, place, path } = facts ?? hit ?? {};
  const day = date && from === "photo" ? dayOf(date) : "";
  const where = placeName(place);
  return [day, day ? where : capital(where)].filter(Boolean).join(", ") || nameOf(path) || "Photo";
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
