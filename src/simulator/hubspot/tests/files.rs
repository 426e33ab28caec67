//! Files: uploaded, found, loaded, changed, gone, and there again after a restart (dossier 7).

use super::*;

const FILES: &str = "/files/v3/files";

impl Account {
    /// Sends a form with a file.
    fn upload(&mut self, method: &str, path: &str, name: &str, bytes: &[u8], texts: &[(&str, &str)]) -> (u16, Json) {
        let mut body = Vec::new();
        for (name, text) in texts {
            body.extend(
                format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n").as_bytes(),
            );
        }
        let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        body.extend(format!("--edge\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n").as_bytes());
        body.extend(bytes);
        body.extend(b"\r\n--edge--\r\n");
        let asked = Asked { method: method.to_owned(), path: path.to_owned(), body, ..self.asked() };
        let reply = self.portal.answer(&asked);
        self.portal.keep().expect("room");
        (reply.status, serde_json::from_str(&reply.body).unwrap_or(Json::Null))
    }

    /// Uploads a private file into `/docs`; its id.
    fn private(&mut self, name: &str, bytes: &[u8]) -> String {
        let texts = [("folderPath", "/docs"), ("options", r#"{"access":"PRIVATE"}"#)];
        let (status, file) = self.upload("POST", FILES, name, bytes, &texts);
        assert_eq!(status, 201, "{file}");
        file["id"].as_str().expect("an id").to_owned()
    }

    fn asked(&self) -> Asked {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", self.token).parse().expect("a header"));
        headers.insert("content-type", "multipart/form-data; boundary=edge".parse().expect("a header"));
        Asked { headers, ..Asked::default() }
    }

    /// Loads an address as anybody may.
    fn load(&mut self, url: &Json) -> (u16, Vec<u8>) {
        let url = url::Url::parse(url.as_str().expect("an address")).expect("an address");
        let query = url.query().unwrap_or_default().to_owned();
        let asked = Asked { method: "GET".to_owned(), path: url.path().to_owned(), query, ..Asked::default() };
        let reply = self.portal.answer(&asked);
        (reply.status, reply.bytes)
    }

    fn signed(&mut self, id: &str) -> Json {
        let (status, signed) = self.ask("GET", &format!("{FILES}/{id}/signed-url?expirationSeconds=60"), Json::Null);
        assert_eq!(status, 200, "{signed}");
        signed
    }

    fn names(&mut self, search: &str) -> Vec<String> {
        let (status, page) = self.ask("GET", &format!("/files/2026-03/files/search?{search}"), Json::Null);
        assert_eq!(status, 200, "{page}");
        let name = |file: &Json| file["name"].as_str().expect("a name").to_owned();
        page["results"].as_array().expect("files").iter().map(name).collect()
    }
}

#[test]
fn a_private_file_is_loaded_by_a_signed_address_only_while_that_is_good() {
    let mut account = account(&small());
    let bytes = b"%PDF \x00\xff\r\n--edg is no edge";
    let id = account.private("Plan 100%.pdf", bytes);
    let (_, file) = account.ask("GET", &format!("{FILES}/{id}"), Json::Null);
    let told = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (told("name"), told("extension"), told("path")),
        ("Plan 100%".into(), "pdf".into(), "/docs/Plan 100%.pdf".into())
    );
    assert_eq!((told("type"), told("access"), &file["size"]), ("DOCUMENT".into(), "PRIVATE".into(), &json!(25)));
    assert_eq!(told("fileMd5"), "00dc8be6004a0e86b67141377b8e2f21");
    assert_eq!(account.load(&file["url"]).0, 404);
    let signed = account.signed(&id);
    assert_eq!(account.load(&signed["url"]), (200, bytes.to_vec()));
    let forged = signed["url"].as_str().expect("text").replace("signature=", "signature=0");
    assert_eq!(account.load(&json!(forged)).0, 403);
    account.now.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(account.load(&signed["url"]).0, 403);
    let open = json!({ "access": "PUBLIC_NOT_INDEXABLE", "name": "Open" });
    let (status, file) = account.ask("PATCH", &format!("{FILES}/{id}"), open);
    assert_eq!((status, &file["path"]), (200, &json!("/docs/Open.pdf")));
    assert_eq!(account.load(&file["url"]), (200, bytes.to_vec()));
}

#[test]
fn an_upload_must_say_where_and_for_whom() {
    let mut account = account(&small());
    let private = ("options", r#"{"access":"PRIVATE"}"#);
    let root = ("folderPath", "/");
    for texts in [
        &[private][..],
        &[root],
        &[private, root, ("folderId", "0")],
        &[root, ("options", "{}")],
        &[root, ("options", "PRIVATE")],
        &[root, ("options", r#"{"access":"MINE"}"#)],
        &[root, ("options", r#"{"access":"PRIVATE","ttl":"soon"}"#)],
    ] {
        let (status, refused) = account.upload("POST", FILES, "a.txt", b"a", texts);
        assert_eq!((status, refused["category"].as_str()), (400, Some("VALIDATION_ERROR")), "{texts:?}");
    }
    assert_eq!(account.upload("POST", FILES, "a.txt", b"a", &[private, ("folderId", "7")]).0, 404);
    assert_eq!(account.upload("POST", FILES, "", b"a", &[private, root]).0, 400);
    assert_eq!(account.ask("POST", FILES, json!({})).0, 415);
    assert_eq!(account.names(""), Vec::<String>::new(), "nothing was kept");
    let reader = account.ask("POST", "/_simulator/token", json!({ "scope": "oauth files.read" })).1;
    account.token = reader["access_token"].as_str().expect("text").to_owned();
    assert_eq!(account.names(""), Vec::<String>::new());
    let (status, refused) = account.upload("POST", FILES, "a.txt", b"a", &[private, root]);
    assert_eq!((status, refused["category"].as_str()), (403, Some("MISSING_SCOPES")));
}

#[test]
fn twins_are_found_and_names_do_not_collide() {
    let mut account = account(&small());
    let first = account.private("a.txt", b"same");
    let mut put = |folder: &str, options: Json| {
        let mut options = options;
        options["access"] = json!("PRIVATE");
        let texts = [("folderPath", folder), ("options", &options.to_string())];
        account.upload("POST", FILES, "a.txt", b"same", &texts)
    };
    let twin = |strategy: &str, scope: &str| json!({ "duplicateValidationStrategy": strategy, "duplicateValidationScope": scope });
    assert_eq!(put("/docs", twin("REJECT", "EXACT_FOLDER")).0, 409);
    assert_eq!(put("/other", twin("REJECT", "ENTIRE_PORTAL")).0, 409);
    assert_eq!(put("/other", twin("RETURN_EXISTING", "ENTIRE_PORTAL")).1["id"], first);
    assert_eq!(put("/other", twin("REJECT", "EXACT_FOLDER")).1["path"], "/other/a.txt");
    assert_eq!(put("/docs", twin("NONE", "ENTIRE_PORTAL")).1["name"], "a-1");
    let (status, over) = put("docs/", json!({ "overwrite": true }));
    assert_eq!((status, &over["path"]), (201, &json!("/docs/a.txt")));
    assert_ne!(over["id"], first, "what is written over is gone");
    assert_eq!(account.ask("GET", &format!("{FILES}/{first}"), Json::Null).0, 404);
    let stat = account.ask("GET", &format!("{FILES}/stat/docs%2Fa.txt"), Json::Null).1;
    assert_eq!(stat["file"]["id"], over["id"]);
    let folder = account.ask("GET", "/files/v3/folders/docs", Json::Null).1;
    assert_eq!((&folder["id"], &folder["path"]), (&over["parentFolderId"], &json!("/docs")));
    let inside = json!({ "name": "deep", "parentFolderId": folder["id"] });
    let (status, deep) = account.ask("POST", "/files/v3/folders", inside.clone());
    assert_eq!((status, &deep["path"]), (201, &json!("/docs/deep")));
    assert_eq!(account.ask("POST", "/files/v3/folders", inside).0, 409);
    let texts = [("folderId", deep["id"].as_str().expect("an id")), ("options", r#"{"access":"PRIVATE"}"#)];
    assert_eq!(account.upload("POST", FILES, "b", b"", &texts).1["path"], "/docs/deep/b");
}

#[test]
fn files_are_searched_replaced_deleted_and_go_by_themselves() {
    let mut account = account(&small());
    let plan = account.private("Plan.pdf", b"one");
    account.now.fetch_add(1000, Ordering::SeqCst);
    account.private("Photo.png", b"twenty-two");
    let texts =
        [("folderPath", "/"), ("fileName", "Short"), ("options", r#"{"access":"PUBLIC_INDEXABLE","ttl":"P1D"}"#)];
    let (_, short) = account.upload("POST", "/files/2026-03/files", "x.csv", b"a,b", &texts);
    assert_eq!((&short["expiresAt"], short.get("parentFolderId")), (&json!(NOW + 1000 + stamps::DAY_MS), None));
    assert_eq!(account.names("sort=-name"), ["Short", "Plan", "Photo"]);
    assert_eq!(account.names("sort=size&limit=2&after=1"), ["Short", "Photo"]);
    assert_eq!(account.names("name=P&type=IMG"), ["Photo"]);
    assert_eq!(account.names(&format!("createdAtLte={NOW}")), ["Plan"]);
    assert_eq!(account.names("sizeGte=4&allowsAnonymousAccess=false"), ["Photo"]);
    assert_eq!(account.names(&format!("ids={plan},7&extension=pdf")), ["Plan"]);
    assert_eq!(account.names("fileMd5=f97c5d29941bfb1b2fdab0874906ab82"), ["Plan"]);
    let page = account.ask("GET", &format!("{FILES}/search?limit=2"), Json::Null).1;
    assert_eq!(page["paging"]["next"]["after"], "2");
    let (status, file) = account.upload("PUT", &format!("{FILES}/{plan}"), "new.bin", b"two", &[]);
    assert_eq!((status, &file["id"], &file["path"]), (200, &json!(plan), &json!("/docs/Plan.pdf")));
    let signed = account.signed(&plan);
    assert_eq!(account.load(&signed["url"]), (200, b"two".to_vec()));
    assert_eq!(account.ask("DELETE", &format!("{FILES}/{plan}"), Json::Null).0, 204);
    assert_eq!(account.ask("DELETE", &format!("{FILES}/{plan}"), Json::Null).0, 404);
    assert_eq!(account.load(&signed["url"]).0, 404);
    account.ask("POST", "/_simulator/clock", json!({ "advanceMs": stamps::DAY_MS }));
    account.token =
        account.ask("POST", "/_simulator/token", json!({})).1["access_token"].as_str().expect("text").to_owned();
    assert_eq!(account.names(""), ["Photo"]);
}

#[test]
fn a_note_s_attachments_are_replaced_or_appended_unknown_ids_too() {
    let mut account = account(&small());
    let file = account.private("a.txt", b"a");
    let note = account.create("notes", json!({ "hs_timestamp": "2024-01-02T03:04:05Z", "hs_attachment_ids": file }));
    let path = format!("/crm/v3/objects/notes/{note}?properties=hs_attachment_ids");
    for (written, kept) in
        [("7;8", "7;8".to_owned()), (&format!(";{file}"), format!("7;8;{file}")), ("9", "9".to_owned())]
    {
        let body = json!({ "properties": { "hs_attachment_ids": written } });
        assert_eq!(account.ask("PATCH", &path, body).0, 200);
        assert_eq!(account.ask("GET", &path, Json::Null).1["properties"]["hs_attachment_ids"], kept);
    }
}

#[test]
fn files_survive_a_restart_and_their_ids_never_come_again() {
    let folder = std::env::temp_dir().join(format!("crosstie-hubspot-files-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let mut first = account(&options);
    let bytes: Vec<u8> = (0..=255).collect();
    let kept = first.private("kept.bin", &bytes);
    let gone = first.private("gone.bin", b"gone");
    first.ask("DELETE", &format!("{FILES}/{gone}"), Json::Null);
    first.ask("PATCH", &format!("{FILES}/{kept}"), json!({ "name": "renamed" }));
    let token = first.token.clone();
    drop(first);
    // Opened twice: as it was appended, and as it was written anew.
    for _ in 0..2 {
        let mut again = account(&options);
        again.token.clone_from(&token);
        assert_eq!(again.ask("GET", &format!("{FILES}/{kept}"), Json::Null).1["path"], "/docs/renamed.bin");
        let signed = again.signed(&kept);
        assert_eq!(again.load(&signed["url"]), (200, bytes.clone()));
        assert_eq!(again.ask("GET", &format!("{FILES}/{gone}"), Json::Null).0, 404);
    }
    let mut again = account(&options);
    assert!(again.private("next.bin", b"") > gone);
    std::fs::remove_dir_all(folder).expect("it was made");
}
