// A saved search in words.

import { spanName } from "../../components/words.js";
import { chipsOf } from "../../state/chips.js";
import { read } from "../../state/search.js";

const NAMED = { camera: "camera", path: "in", place: "in", album: "album", format: "", shape: "", rating: "rated" };
const FAVOURITES = { true: "favourites", false: "no favourites" };

/** The parameters of an address as one line: `dog · in holiday/* · 2023`. */
export function summary(query) {
  const asked = new URLSearchParams(query);
  const said = [];
  if (asked.get("q")) said.push(asked.get("q"));
  if (asked.get("picture")) said.push("like a picture");
  if (asked.has("like")) said.push("like a photo");
  if (asked.has("unlike")) said.push("unlike a photo");
  const [after, before] = [asked.get("after") ?? "", asked.get("before") ?? ""];
  if (after || before) said.push(spanName(after, before));
  for (const [name, word] of Object.entries(NAMED)) {
    for (const value of asked.getAll(name)) said.push(`${word} ${value}`.trim());
  }
  if (asked.get("favourite") in FAVOURITES) said.push(FAVOURITES[asked.get("favourite")]);
  for (const [text] of chipsOf(read(query))) said.push(text[0].toLowerCase() + text.slice(1));
  if (asked.get("in") === "captions") said.push("captions");
  return said.join(" · ") || "all photos";
}
