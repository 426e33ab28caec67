// The file manager and notes with attachments by the unmodified client. What it needs: see simulator.mjs.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { ask, begun, checked, client, refused } from "./simulator.mjs";

let hub;
let token;
before(async () => ([hub, token] = await begun()));
after(() => checked(20));

// Every byte, so that nothing on the way takes it for text.
const data = Buffer.from(Array.from({ length: 3 * 256 }, (_, i) => i % 256));
const options = (more = {}) => JSON.stringify({ access: "PRIVATE", ...more });
const upload = (name, { bytes = data, folderId, folderPath = folderId ? undefined : "/library/plans", fileName, more } = {}) =>
  hub.files.filesApi.upload({ data: bytes, name }, folderId, folderPath, fileName, undefined, options(more));
async function download(url) {
  const answer = await fetch(url);
  return { status: answer.status, type: answer.headers.get("content-type"), bytes: Buffer.from(await answer.arrayBuffer()) };
}

test("an upload is told as it was given", async () => {
  const made = await upload("Floor plan.pdf");
  assert.deepEqual([made.name, made.extension, made.path], ["Floor plan", "pdf", "/library/plans/Floor plan.pdf"]);
  assert.deepEqual([made.size, made.access, made.type], [768, "PRIVATE", "DOCUMENT"]);
  assert.equal(made.fileMd5, createHash("md5").update(data).digest("hex"));
  const read = await hub.files.filesApi.getById(made.id);
  assert.deepEqual({ ...read }, { ...made });
  const beside = await upload("other.txt", { folderId: made.parentFolderId, fileName: "Named" });
  assert.equal(beside.path, "/library/plans/Named.txt");
});
test("a private file is loaded by its signed address alone", async () => {
  const made = await upload("secret.bin");
  assert.equal((await download(made.url)).status, 404);
  const signed = await hub.files.filesApi.getSignedUrl(made.id, undefined, 120);
  assert.deepEqual([signed.name, signed.extension, signed.size], ["secret", "bin", 768]);
  const loaded = await download(signed.url);
  assert.deepEqual([loaded.status, loaded.type], [200, "application/octet-stream"]);
  assert.ok(loaded.bytes.equals(data), "every byte comes back");
});
test("a public file is anybody's", async () => {
  const made = await upload("logo.png", { more: { access: "PUBLIC_INDEXABLE" } });
  const loaded = await download(made.url);
  assert.deepEqual([loaded.status, loaded.type, made.type, made.encoding], [200, "image/png", "IMG", "png"]);
  assert.ok(loaded.bytes.equals(data));
});
test("files are found, a page at a time", async () => {
  for (const name of ["found 1.txt", "found 2.txt", "found 3.txt"]) await upload(name);
  const search = (after) => hub.files.filesApi.doSearch(undefined, after, undefined, 2, ["name"], undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined, "found");
  const first = await search();
  assert.deepEqual(first.results.map(({ name }) => name), ["found 1", "found 2"]);
  const second = await search(first.paging.next.after);
  assert.deepEqual([second.results.map(({ name }) => name), second.paging], [["found 3"], undefined]);
});
test("a file is renamed, moved and replaced under its id", async () => {
  const made = await upload("draft.txt");
  const folder = await hub.files.foldersApi.create({ name: "final", parentPath: "/library" });
  const moved = await hub.files.filesApi.updateProperties(made.id, { name: "agreed", parentFolderId: folder.id });
  assert.deepEqual([moved.id, moved.path], [made.id, "/library/final/agreed.txt"]);
  const replaced = await hub.files.filesApi.replace(made.id, { data: Buffer.from("new"), name: "x.txt" }, undefined, options());
  assert.deepEqual([replaced.id, replaced.path, replaced.size], [made.id, "/library/final/agreed.txt", 3]);
  const stat = await hub.files.filesApi.getMetadata("library/final/agreed.txt");
  assert.equal(stat.file.id, made.id);
});
test("a twin may be refused or handed out", async () => {
  const bytes = Buffer.from("twin");
  const made = await upload("twin.txt", { bytes });
  const twin = (duplicateValidationStrategy) => upload("again.txt", { bytes, more: { duplicateValidationStrategy, duplicateValidationScope: "ENTIRE_PORTAL" } });
  assert.equal((await twin("RETURN_EXISTING")).id, made.id);
  assert.equal((await refused(twin("REJECT"))).code, 409);
  assert.equal((await twin("NONE")).name, "again");
});
test("what is deleted is gone, what is odd is refused", async () => {
  const made = await upload("gone.txt");
  await hub.files.filesApi.archive(made.id);
  assert.equal((await refused(hub.files.filesApi.getById(made.id))).code, 404);
  const erased = await upload("erased.txt");
  await hub.files.filesApi._delete(erased.id);
  assert.equal((await refused(hub.files.filesApi.getSignedUrl(erased.id))).code, 404);
  assert.equal((await refused(hub.files.filesApi.upload({ data, name: "x" }, undefined, "/", undefined, undefined, "{}"))).code, 400);
  assert.equal((await refused(upload("x", { folderPath: "" }))).code, 400);
  const reader = await client("oauth files.read");
  assert.equal((await refused(reader.files.filesApi.archive(made.id))).body.category, "MISSING_SCOPES");
});
test("a note carries files, whoever knows their ids", async () => {
  const { id } = await upload("attached.txt");
  const deal = await hub.crm.deals.basicApi.create({ properties: { dealname: "A", dealstage: "closedwon" }, associations: [] });
  const associations = [{ to: { id: deal.id }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 214 }] }];
  const note = await hub.crm.objects.notes.basicApi.create({ properties: { hs_timestamp: "2024-01-02T03:04:05Z", hs_note_body: "See", hs_attachment_ids: id }, associations });
  const read = await hub.crm.objects.notes.basicApi.getById(note.id, ["hs_attachment_ids"]);
  assert.equal(read.properties.hs_attachment_ids, id);
  const both = await hub.crm.objects.notes.basicApi.update(note.id, { properties: { hs_attachment_ids: `${id};12345` } });
  assert.equal(both.properties.hs_attachment_ids, `${id};12345`);
  const other = await hub.crm.objects.notes.basicApi.update(note.id, { properties: { hs_attachment_ids: "12345" } });
  assert.equal(other.properties.hs_attachment_ids, "12345");
});
test("the dated paths share the store", async () => {
  const made = await upload("dated.txt");
  const dated = await ask(token, "GET", `/files/2026-03/files/${made.id}`);
  const v3 = await ask(token, "GET", `/files/v3/files/${made.id}`);
  assert.deepEqual(dated.body, v3.body);
});
