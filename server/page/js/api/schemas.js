// JSON schemas of an OpenAPI description, as words and as examples.

/** The schema that a reference leads to; what is not a reference is itself. */
export function resolved(schema, api) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.slice(2).split("/").reduce((part, name) => part[name.replaceAll("~1", "/").replaceAll("~0", "~")], api);
}

/** The name of the model that a schema refers to, or null. */
export const modelOf = (schema) => schema?.$ref?.split("/").at(-1) ?? null;

/** What kind of value it is, as parts: texts, and `{model}` for a model that is described elsewhere. */
export function kind(schema) {
  if (!schema) return ["anything"];
  if (schema.$ref) return [{ model: modelOf(schema) }];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((one) => JSON.stringify(one)).join(" or ")];
  const some = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (some) return joined(some.map(kind), " or ");
  if (schema.type === "array") {
    if (schema.prefixItems) return ["[", ...joined(schema.prefixItems.map(kind), ", "), "]"];
    return ["list of ", ...many(kind(schema.items))];
  }
  if (schema.type === "object") {
    const values = schema.additionalProperties;
    return values && typeof values === "object" ? ["object of ", ...many(kind(values))] : ["object"];
  }
  const names = { string: schema.contentMediaType || schema.format === "binary" ? "file" : "text", integer: "whole number", number: "number", boolean: "true or false", null: "null" };
  return [(names[schema.type] ?? schema.type ?? "anything") + limits(schema)];
}

const many = (parts) => parts.map((part) => (part.model ? part : part.replace("number", "numbers")));

const joined = (lists, between) => lists.flatMap((list, at) => (at ? [between, ...list] : list));

function limits({ minimum, maximum, maxLength }) {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `, at least ${minimum}`;
  if (maximum !== undefined) return `, at most ${maximum}`;
  return maxLength === undefined ? "" : ` of at most ${maxLength} letters`;
}

/** A value as the schema describes it: its example where it has one, else made of its parts. */
export function example(schema, api, depth = 0) {
  const given = schema?.example ?? schema?.examples?.[0] ?? schema?.default ?? schema?.const;
  if (given !== undefined) return given;
  if (!schema || depth > 6) return null;
  if (schema.$ref) return example(resolved(schema, api), api, depth + 1);
  if (schema.enum) return schema.enum[0];
  const some = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (some) return example(some[0], api, depth + 1);
  if (schema.type === "array") {
    if (schema.prefixItems) return schema.prefixItems.map((item) => example(item, api, depth + 1));
    return [example(schema.items, api, depth + 1)];
  }
  if (schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, part]) => [name, example(part, api, depth + 1)]));
  }
  return { string: "…", integer: 1, number: 0.5, boolean: false, object: {} }[schema.type] ?? null;
}
