// Numbers of photos by month or year without gaps, as bars, and spans of them as filters.

import { spanOf } from "./words.js";

const MOST_MONTHS = 72; // bars of months; more are bars of years

/**
 * A bar for each month of an answer of /api/facets (any order), or each year where that would be too many, from the
 * earliest to the latest; between them also those without photos.
 * @param {{value: string, photos: number}[]} months such as 2023-06
 * @returns {{key: string, photos: number}[]}
 */
export function bucketsOf(months) {
  if (!months.length) return [];
  const numbers = months.map(({ value }) => numberOf(value));
  const [first, last] = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
  const isByYear = last - first >= MOST_MONTHS;
  const keyOf = (n) => (isByYear ? yearOf(n) : `${yearOf(n)}-${String((n % 12) + 1).padStart(2, "0")}`);
  const photos = new Map();
  for (let n = isByYear ? first - (first % 12) : first; n <= last; n += isByYear ? 12 : 1) photos.set(keyOf(n), 0);
  for (const [at, n] of numbers.entries()) photos.set(keyOf(n), photos.get(keyOf(n)) + months[at].photos);
  return [...photos].map(([key, its]) => ({ key, photos: its }));
}

const numberOf = (month) => 12 * Number(month.slice(0, 4)) + Number(month.slice(5, 7)) - 1;
const yearOf = (n) => String(Math.floor(n / 12)).padStart(4, "0");

/** The filter for the bars from one to another, both included, in any order. */
export function spanOfBuckets(buckets, one, other) {
  const [first, last] = one <= other ? [one, other] : [other, one];
  return { after: buckets[first].key, before: spanOf(buckets[last].key).before };
}

/** The first and last bar that a filter lets through, in part at least. */
export function chosenBuckets(buckets, after, before) {
  const isLate = ({ key }) => !after || spanOf(key).before > after;
  const isEarly = ({ key }) => !before || key < before;
  const first = buckets.findIndex(isLate);
  const last = buckets.findLastIndex(isEarly);
  return [first < 0 ? buckets.length - 1 : first, Math.max(0, last)];
}
