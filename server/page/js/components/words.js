// How things are said: names, numbers, dates.

/** The last part of a path, of Windows as well. */
export const nameOf = (path) => (path ?? "").split(/[/\\]/).at(-1);

export const number = (n) => n.toLocaleString("en");

/** A probability, from "<1%" to "99%": nothing is certain. */
export const percent = (share) => (share < 0.01 ? "<1%" : `${Math.min(99, Math.round(share * 100))}%`);

/** "1 photo", "7,000 photos". */
export const count = (n, thing) => `${number(n)} ${thing}${n === 1 ? "" : "s"}`;

const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });

/** A moment such as 2023-07-04T12:00:00, by the clock of the camera and so without a time zone. */
export const momentOf = (text) => MOMENT.format(new Date(text));

/** 3,421,112 bytes are 3.4 MB, as file managers say. */
export function bytes(n) {
  if (n < 1000) return count(n, "byte");
  return n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/** A year, month or day as a filter: {after, before}, of which `before` is just too late. */
export function spanOf(value) {
  const [year, month, day] = value.split("-").map(Number);
  if (!month) return { after: value, before: String(year + 1).padStart(4, "0") };
  const next = day ? new Date(Date.UTC(year, month - 1, day + 1)) : new Date(Date.UTC(year, month, 1));
  return { after: value, before: next.toISOString().slice(0, day ? 10 : 7) };
}

/** The last day of a span by its `before`, and back. */
export const lastDay = (before) => shiftDay(before, -1);
export const dayAfter = (day) => shiftDay(day, 1);

/** So many days after the first day of a year, month, day or minute; "" where the text, an address's, is none. */
function shiftDay(text, days) {
  const [, year, month = 1, day = 1] = /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?/.exec(text) ?? [];
  return year ? new Date(Date.UTC(Number(year), Number(month) - 1, Number(day) + days)).toISOString().slice(0, 10) : "";
}

/** The first day of an `after`, as an input of type date takes it. */
export const firstDay = (after) => shiftDay(after, 0);

/** A span of time in words: "2023", "June 2023", "since 2023-06-05". */
export function spanName(after, before) {
  if (/^\d{4}(-\d\d){0,2}$/.test(after) && spanOf(after).before === before) {
    const [year, month, day] = after.split("-");
    return day ? after : month ? `${MONTHS[Number(month) - 1]} ${year}` : year;
  }
  if (!before) return `since ${after}`;
  const last = lastDay(before) || before;
  return after ? `${firstDay(after) || after} to ${last}` : `until ${last}`;
}

/** The span of words for dates, as /api/search has it. */
export function wordsSpan({ after, before, yearly }) {
  const span = after || before ? spanName(after ?? "", before ?? "") : "every year";
  return yearly ? `${yearly[0]} to ${lastDay(`2000-${yearly[1]}`).slice(5)}, ${span}` : span;
}

export const monthName = (value) => MONTHS[Number(value.split("-")[1]) - 1];

/** A month such as 2023-06 in words; what is none stays as it is. */
export const monthAndYear = (value) => (/^\d{4}-\d\d$/.test(value) ? `${monthName(value)} ${value.slice(0, 4)}` : value);

/** A day of any year such as 07-04, as "4 July"; what is none stays as it is. */
export function monthDay(value) {
  const [, month, day] = /^(\d\d)-(\d\d)$/.exec(value) ?? [];
  return MONTHS[Number(month) - 1] ? `${Number(day)} ${MONTHS[Number(month) - 1]}` : value;
}
