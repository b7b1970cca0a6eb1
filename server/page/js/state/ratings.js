// Ratings as filters: "4" is exactly four stars, "4+" at least four, "0" no rating.

/** The choices with their numbers of photos, from those of no star, one star and so on: five, at least four, …, none. */
export function atLeast(/** @type {number[]} */ counts) {
  let sum = 0;
  const choices = [5, 4, 3, 2, 1].map((rating) => {
    sum += counts[rating] ?? 0;
    return { value: rating === 5 ? "5" : `${rating}+`, photos: sum };
  });
  return [...choices, { value: "0", photos: counts[0] ?? 0 }];
}

/** A filter in words, for the eye and for screen readers. */
export function stars(/** @type {string} */ rating) {
  const [, n, more] = /^([0-5])(\+?)$/.exec(rating) ?? [];
  if (!n) return rating; // an address may say anything
  if (n === "0") return more ? "any rating" : "not rated";
  return `${n} star${n === "1" ? "" : "s"}${more ? " or more" : ""}`;
}
