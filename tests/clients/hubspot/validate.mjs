// Checks answers against the interface files in tests/specs/hubspot, less what deviations.json names with its reason.
import { readFileSync, readdirSync } from "node:fs";
import Ajv from "ajv";

const folder = new URL("../../specs/hubspot/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
const deviations = read("deviations.json");

/** OpenAPI 3.0 says `nullable` where JSON Schema lists null among the types. */
function plain(schema) {
  if (Array.isArray(schema)) return schema.map(plain);
  if (schema === null || typeof schema !== "object") return schema;
  const { nullable, example, xml, discriminator, ...rest } = schema;
  const made = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, plain(value)]));
  return nullable && made.type ? { ...made, type: [].concat(made.type, "null") } : made;
}

function deviate(schemas) {
  for (const { schema: name, drop, number, nullable, text } of deviations) {
    const schema = schemas[name];
    if (!schema) continue;
    if (drop) schema.required = schema.required.filter((member) => member !== drop);
    if (number) schema.properties[number] = { type: ["number", "string"] };
    if (text) schema.properties[text] = { type: ["string", "object"] };
    if (nullable) schema.properties[nullable] = { type: [schema.properties[nullable].type, "null"] };
  }
}

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addFormat("date-time", (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) && !Number.isNaN(Date.parse(text)));
for (const format of ["int32", "int64", "double", "float", "binary", "uri"]) ajv.addFormat(format, true);

const operations = [];
for (const file of readdirSync(folder).filter((name) => name.endsWith("-v3.json") || name.endsWith("-v4.json") || name === "oauth-v1.json")) {
  const spec = plain(read(file));
  deviate(spec.components.schemas);
  ajv.addSchema(spec, file);
  for (const [path, methods] of Object.entries(spec.paths)) {
    const pattern = new RegExp(`^${path.replace(/\/$/, "").replace(/\{[^}]+\}/g, "[^/]+")}/?$`);
    const fixed = path.split("/").filter((part) => part && !part.startsWith("{")).length;
    for (const [method, operation] of Object.entries(methods)) {
      operations.push({ file, path, method: method.toUpperCase(), pattern, fixed, responses: operation.responses });
    }
  }
}
operations.sort((a, b) => b.fixed - a.fixed);

const compiled = new Map();
function validator(file, path, method, status, type) {
  const escape = (text) => text.replaceAll("~", "~0").replaceAll("/", "~1");
  const at = ["paths", path, method.toLowerCase(), "responses", status, "content", type, "schema"];
  const ref = `${file}#/${at.map((part) => encodeURIComponent(escape(part))).join("/")}`;
  if (!compiled.has(ref)) compiled.set(ref, ajv.compile({ $ref: ref }));
  return compiled.get(ref);
}

/** Why an answer is not as the interface files say; none where it is, `undefined` where no file knows the path. */
export function problems(method, url, status, text) {
  const { pathname } = new URL(url);
  const found = operations.find((operation) => operation.method === method && operation.pattern.test(pathname));
  if (!found) return undefined;
  const kept = found.responses[String(status)] ? String(status) : "default";
  if (kept === "default" && status < 400) return [`${method} ${pathname} answered ${status}, which its file does not know`];
  const content = found.responses[kept].content;
  if (!content) return text ? [`${method} ${pathname}: a body where there is none`] : [];
  const check = validator(found.file, found.path, method, kept, Object.keys(content)[0]);
  return check(JSON.parse(text)) ? [] : check.errors.map((error) => `${method} ${pathname} ${status}: ${error.instancePath} ${error.message}`);
}
