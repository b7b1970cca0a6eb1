// A program against the API, with the types that are made from its description. Prints what it was answered.
//
// Each `@ts-expect-error` is a mistake that the types must notice: the compiler complains where it is none.

import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[] };

const [baseUrl, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const client = createClient<paths>({ baseUrl, headers });

const { data: found } = await client.GET("/api/search", { params: { query: { q: "red", top: 2 } } });
const { hits } = found!;
const first: number | null = hits[0].photo;
const { data: photo } = await client.GET("/api/photos/{photo}", { params: { path: { photo: first! } } });
const missing = await client.GET("/api/photos/{photo}", { params: { path: { photo: 99 } } });
const thumbnail = await client.GET("/api/photos/{photo}/thumbnail", {
  params: { path: { photo: first! }, query: { size: 320 } },
  parseAs: "blob",
});
const run = await client.POST("/api/evaluations", { body: { split: "dev", recall: [1] } });
const refused = await createClient<paths>({ baseUrl }).GET("/api/status");

export async function mistakes() {
  // @ts-expect-error: no such address
  await client.GET("/api/nothing");
  // @ts-expect-error: no such parameter
  await client.GET("/api/search", { params: { query: { colour: "red" } } });
  // @ts-expect-error: a photo is a number
  await client.GET("/api/photos/{photo}", { params: { path: { photo: "first" } } });
  // @ts-expect-error: no such field of a hit
  hits[0].likelihood;
}

console.log(
  JSON.stringify({
    ranks: hits.map((hit) => hit.rank),
    name: photo!.name,
    caption: photo!.captions[0].text,
    missing: [missing.response.status, missing.error!.error],
    thumbnail: (await (thumbnail.data as unknown as Blob).slice(8, 12).text()),
    evaluated: run.data!.split,
    refused: [refused.response.status, refused.error!.error],
  }),
);
