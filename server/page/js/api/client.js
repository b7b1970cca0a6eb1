// The server's answers. Addresses are relative: the page may live under a prefix of a reverse proxy.

import { clock, isHidden } from "./attendance.js";
import { connection } from "./connection.js";

/** The server said no: `message` is its line of text, `status` the HTTP status. */
class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Nobody answered. */
export class Gone extends Error {}

/** Whether the server answers; what it says of itself goes to those who called `hear`. */
export const server = connection({ probe, isHidden, clock });
export const NO_ANSWER = "The server does not answer.";
const RETRIES = 3; // of a request that fails although the server answers others
const AWAY = [502, 504]; // what a proxy says for a server that is not there
const hearing = new Set();

/** Calls `listener(index)` with each answer of /api/index, which says which version of the page the server has. */
export const hear = (listener) => hearing.add(listener);

/** Hand on an answer of /api/index. */
export function heard(index) {
  for (const listener of hearing) listener(index);
}

async function probe() {
  try {
    const response = await fetch("api/index");
    if (response.ok) heard(await response.json());
    return !AWAY.includes(response.status);
  } catch {
    return false;
  }
}

/**
 * The answer as JSON, null where there is none (204). A question waits until the server is back and is asked again; what
 * changes something is asked once. Throws Refused, Gone, and AbortError when `options.signal` says so.
 */
export async function ask(address, options) {
  const mayRepeat = (options?.method ?? "GET") === "GET";
  for (let tries = 0; ; tries++) {
    const response = await answerTo(address, options);
    if (response?.ok) return response.status === 204 ? null : response.json();
    if (response && !AWAY.includes(response.status)) throw new Refused(response.status, await textOf(response));
    if (!mayRepeat || tries === RETRIES) throw new Gone(NO_ANSWER);
    await server.back(options?.signal);
  }
}

/** The response; null if nobody answers. Throws AbortError. */
async function answerTo(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

async function textOf(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server answered ${response.status} ${response.statusText}`; // a proxy's page, perhaps
  }
}

export const search = (question, signal) => ask(`api/search?${question}`, { signal });

/** All photos that pass filters, as ids and shapes in order. */
export const timeline = (asked, signal) => ask(`api/timeline?${asked}`, { signal });
/** The first photos of the same list, with what is known of them. */
export const photos = (asked, signal) => ask(`api/photos?${asked}`, { signal });
/** What is known of these photos. */
export const photosOf = (ids, signal) => photos(new URLSearchParams(ids.map((id) => ["id", String(id)])), signal).then((its) => its.photos);
export const facets = (filters, signal) => ask(`api/facets?${filters}`, { signal });
export const photo = (id, signal) => ask(`api/photos/${id}`, { signal });

/** The name under which the server keeps a picture that is handed in. */
export async function handIn(file) {
  const body = new FormData();
  body.append("file", file, file.name || "picture");
  return (await ask("api/search?top=1", { method: "POST", body })).picture;
}

/** What the server says about a picture that did not load; null if it is there after all. */
export async function reasonOf(address) {
  try {
    const response = await fetch(address);
    return response.ok ? null : await textOf(response);
  } catch {
    return NO_ANSWER;
  }
}

/** Where in a photo a phrase is. */
export const where = (photo, text, language, signal) => ask(`api/photos/${photo}/where?${looking(text, language)}`, { signal });

/** The picture of that, to be laid over the photo. */
export const heat = (photo, text, language) => `api/photos/${photo}/where?${looking(text, language)}&format=webp`;

function looking(text, language) {
  const asked = new URLSearchParams({ q: text });
  if (language) asked.set("language", language);
  return asked;
}

/** A small view of the part of a photo in a box, "left,top,right,bottom". */
export const partView = (photo, box) => `api/photos/${photo}/part?${new URLSearchParams({ box })}`;

export const original = (id) => `api/photos/${id}/original`;
export const pictureView = (name) => `api/pictures/${encodeURIComponent(name)}/thumbnail`;

/** The small view of a photo, at most `size` (320, 640 or 1600) pixels a side. */
export function thumbnail(photo, size, content) {
  return `api/photos/${photo}/thumbnail?size=${size}${content ? `&v=${encodeURIComponent(content)}` : ""}`;
}
