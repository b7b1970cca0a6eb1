// The page about the model: what it is, how well it finds, and where it fails.

import { openAddress } from "./state/address.js";
import { mountEvaluations } from "./views/model/evaluations.js";
import { mountExplorer } from "./views/model/explorer.js";
import { mountFacts } from "./views/model/facts.js";
import { hearFromServer, mountSession } from "./views/session/session.js";

// The names in the address, and what holds where it does not say them. "-" is no split: all captions.
const USUAL = {
  e: "", // the evaluations that are drawn, by id; none: the newest
  by: "date", // the column that sorts them, with "-" before it the other way round
  k: "log",
  direction: "text_to_image",
  split: "",
  sort: "worst",
  contains: "",
  rank: "", // 6-10
  query: "", // the id of a caption or photo; none: the first of the list
};
const EVALUATIONS = ["e", "by", "k"];

const address = openAddress(USUAL, (state, before) => {
  if (EVALUATIONS.some((name) => state[name] !== before[name])) evaluations.show();
  if (Object.keys(USUAL).some((name) => !EVALUATIONS.includes(name) && state[name] !== before[name])) explorer.show();
});
const evaluations = mountEvaluations(address);
const explorer = mountExplorer(document.querySelector("#exploring"), address);
mountFacts(document.querySelector("#facts"));
mountSession();
hearFromServer();
