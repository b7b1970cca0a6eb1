// A saved search in words.

import { spanName } from "../../components/words.js";

const NAMED = { camera: "camera", path: "in", place: "in", album: "album", format: "", shape: "", rating: "rated", day: "on" };

/** The parameters of an address as one line: `dog · in holiday/* · 2023`. */
export function summary(query) {
  const asked = new URLSearchParams(query);
  const said = [];
  if (asked.get("q")) said.push(asked.get("q"));
  if (asked.get("picture")) said.push("like a picture");
  if (asked.has("like")) said.push("like a photo");
  const [after, before] = [asked.get("after") ?? "", asked.get("before") ?? ""];
  if (after || before) said.push(spanName(after, before));
  for (const [name, word] of Object.entries(NAMED)) {
    for (const value of asked.getAll(name)) said.push(`${word} ${value}`.trim());
  }
  if (asked.get("favourite") === "true") said.push("favourites");
  if (asked.get("in") === "captions") said.push("captions");
  return said.join(" · ") || "all photos";
}
