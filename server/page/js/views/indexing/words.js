// How indexing is said: what changed on disk, how far a run is, what it did.

import { count, nameOf, number } from "../../components/words.js";

/** "12 new, 3 changed", "up to date"; "" while nobody has looked. */
export function changesOf(changes) {
  if (!changes) return "";
  const said = counted([[changes.new, "new"], [changes.changed, "changed"], [changes.gone, "gone"]]);
  if (changes.unreachable) said.push(`${number(changes.unreachable)} out of reach`);
  if (changes.caption_files) said.push(`${count(changes.caption_files, "caption file")} changed`);
  return said.length ? `${said.join(", ")} since the last index` : "up to date";
}

/** What a run has done: "12 added, 1 removed", "nothing had changed". */
export function outcomeOf(report) {
  const { added, updated, moved, removed, captions_added: captions } = report;
  const said = counted([[added, "added"], [updated, "changed"], [moved, "moved"], [removed, "removed"]]);
  if (captions) said.push(`${count(captions, "caption")} added`);
  return said.length ? `${said.join(", ")} in ${duration(report.seconds)}` : "nothing had changed";
}

const counted = (pairs) => pairs.filter(([n]) => n).map(([n, word]) => `${number(n)} ${word}`);

/** What a run is at: "photos: 1,200 of 7,000". */
export function workOf(run) {
  if (run.stopping) return "Stopping; finishing what is begun";
  if (!run.label) return "Getting ready";
  const label = run.label.charAt(0).toUpperCase() + run.label.slice(1);
  return run.total ? `${label}: ${number(run.done)} of ${number(run.total)}` : label;
}

/** "41 a second, 2 min left"; "" while nobody can tell. */
export function paceOf(run) {
  if (!run.per_second || !run.total || run.stopping) return "";
  const rate = run.per_second < 10 ? run.per_second : number(Math.round(run.per_second));
  return `${rate} a second, ${left((run.total - run.done) / run.per_second)} left`;
}

function left(seconds) {
  return seconds < 60 ? "less than a minute" : duration(Math.ceil(seconds / 60) * 60);
}

function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The folders of the command line that the library does not know: [{number, path, name}]. */
export function newFolders(status) {
  const known = status.folders.map((folder) => inside(folder.path));
  return status.folders_to_index
    .map((path, number) => ({ number, path, name: nameOf(path) || path }))
    .filter(({ path }) => !known.some((root) => inside(path).startsWith(root)));
}

/** What the paths of all that is in a folder begin with. */
const inside = (folder) => folder.replaceAll("\\", "/").replace(/\/?$/, "/");
