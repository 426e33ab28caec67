//! The synonym table: what people call the app's fields, in the languages that admins of CRMs name fields in.
//!
//! A phrase stands here once, in its plain spelling: case, accents, separators, the entity's own name and the order of the
//! words do not count where it is compared. Each text is a list with commas.

use crate::model::Entity;

/// Words that hold a phrase together.
pub(super) const STOP: &str = "of, the, a, an, for, de, du, des, del, la, le, el, l, d, der, die, das, fur";

/// Words that tell the first of several from the others, not one meaning from another ("Primary E-Mail", "Work Phone").
pub(super) const WEAK: &str = "primary, main, default, official, business, work, office, corporate, general, preferred, \
    current, haupt, geschaftlich, principal, professionnel";

/// What stands before a part of an address: that of an account is where its bills go, that of a contact where its mail goes.
const BILLING: &str =
    "billing, bill to, invoice, invoicing, rechnungs, rechnung, facturation, facturacion, head office";
const MAILING: &str = "mailing, mail, postal, correspondence, post, postanschrift, correo";

/// What the parts of an address are called.
const ADDRESS_PARTS: &[(&str, &str)] = &[
    (
        "street",
        "street, street address, address, address line, address line 1, address 1, strasse, adresse, anschrift, rue, \
         calle, direccion",
    ),
    ("city", "city, town, locality, stadt, ort, wohnort, ville, ciudad, poblacion"),
    ("state", "state, state province, state region, province, region, bundesland, departement, provincia, estado"),
    (
        "postal_code",
        "postal code, post code, zip, zip code, zip postal code, plz, postleitzahl, code postal, cp, codigo postal",
    ),
    ("country", "country, country region, nation, land, pays, pais"),
];

const OF_ACCOUNTS: &[(&str, &str)] = &[
    (
        "name",
        "legal name, trading name, display name, firmenname, firmierung, raison sociale, nom, razon social, \
         nombre",
    ),
    (
        "domain",
        "domain name, website, web site, website url, web address, web page, homepage, home page, url, internet, \
         webseite, internetseite, site web, sitio web, pagina web, dominio, domaine",
    ),
    (
        "industry",
        "industry sector, sector, line of business, vertical, branche, wirtschaftszweig, secteur, secteur d \
         activite, industria",
    ),
    (
        "phone",
        "phone number, telephone, telephone number, tel, phone no, switchboard, telefon, telefonnummer, \
         rufnummer, numero de telephone, telefono",
    ),
    (
        "employee_count",
        "employees, number employees, number of employees, no of employees, num employees, employee number, \
         headcount, head count, staff, company size, size, mitarbeiter, mitarbeiterzahl, anzahl mitarbeiter, \
         beschaftigte, effectif, nombre d employes, salaries, empleados, numero de empleados",
    ),
    (
        "annual_revenue",
        "revenue, yearly revenue, turnover, annual turnover, annual sales, umsatz, jahresumsatz, chiffre d \
         affaires, ca annuel, ingresos, ingresos anuales, facturacion anual",
    ),
    (
        "description",
        "about, notes, note, comments, summary, beschreibung, notizen, bemerkung, bemerkungen, remarques, \
         descripcion, notas",
    ),
    (
        "owner_email",
        "owner, owner id, owner email, owner email address, account owner, contact owner, company owner, account \
         manager, account manager email, account executive, responsible, sales rep, sales rep email, besitzer, \
         inhaber, betreuer, kundenbetreuer, zustandiger, proprietaire, responsable, propietario",
    ),
];

const OF_CONTACTS: &[(&str, &str)] = &[
    ("first_name", "given name, forename, vorname, prenom, nombre, primer nombre"),
    ("last_name", "surname, family name, nachname, familienname, zuname, nom, nom de famille, apellido, apellidos"),
    (
        "email",
        "email address, mail, mail address, e mail, e mail address, e mail adresse, email adresse, mailadresse, \
         courriel, adresse electronique, adresse email, correo, correo electronico",
    ),
    (
        "phone",
        "phone number, telephone, telephone number, tel, phone no, direct line, direct phone, landline, telefon, \
         telefonnummer, rufnummer, festnetz, durchwahl, numero de telephone, telefono",
    ),
    (
        "mobile_phone",
        "mobile, mobile number, mobile phone number, mobile no, cell, cell phone, cellphone, cell number, \
         cellular, handy, handynummer, mobil, mobiltelefon, mobilnummer, portable, telephone portable, telephone \
         mobile, movil, telefono movil, celular",
    ),
    (
        "title",
        "job title, position, job position, role, job role, function, designation, funktion, berufsbezeichnung, \
         stellenbezeichnung, stelle, fonction, poste, intitule du poste, cargo, puesto",
    ),
    ("department", "dept, division, business unit, team, abteilung, bereich, service, departement, departamento"),
    (
        "account_id",
        "account, company, company id, associated company, associated company id, organization, organisation, \
         organization id, employer, account name, company name, firma, unternehmen, kunde, entreprise, societe, \
         compte, empresa, cuenta",
    ),
];

const OF_OPPORTUNITIES: &[(&str, &str)] = &[
    ("name", "title, subject, label, bezeichnung, titel, nom, intitule, nombre"),
    (
        "amount",
        "value, total amount, total value, volume, contract value, price, sum, betrag, summe, wert, auftragswert, \
         volumen, montant, valeur, importe, monto, valor",
    ),
    (
        "currency",
        "currency code, currency iso code, iso currency, currency iso, wahrung, waehrung, wahrungscode, devise, \
         monnaie, code devise, moneda, divisa",
    ),
    (
        "stage",
        "stage name, sales stage, pipeline stage, phase, status, sales phase, verkaufsphase, vertriebsphase, \
         etape, etape de vente, phase de vente, etapa, fase",
    ),
    (
        "probability",
        "stage probability, win probability, close probability, probability percent, likelihood, chance, win \
         chance, wahrscheinlichkeit, abschlusswahrscheinlichkeit, gewinnwahrscheinlichkeit, probabilite, \
         probabilidad",
    ),
    (
        "close_date",
        "closing date, expected close date, expected close, estimated close date, target close date, closed date, \
         abschlussdatum, abschluss, voraussichtlicher abschluss, date de cloture, cloture, date de signature, \
         fecha de cierre",
    ),
    (
        "description",
        "notes, note, details, comments, summary, beschreibung, notizen, bemerkung, bemerkungen, remarques, \
         descripcion, notas",
    ),
    (
        "account_id",
        "account, company, company id, associated company, associated company id, primary associated company, \
         organization, organisation, organization id, customer, customer id, client, account name, company name, \
         firma, unternehmen, kunde, entreprise, societe, compte, empresa, cuenta, cliente",
    ),
];

/// Words that a field of an entity carries without meaning more by them ("Account Name", "Deal Stage").
pub(super) const fn words_of(entity: Entity) -> &'static str {
    match entity {
        Entity::Account => {
            "account, company, customer, client, organization, organisation, org, firma, unternehmen, kunde, kunden, \
             entreprise, societe, compte, empresa, cuenta"
        }
        Entity::Contact => "contact, person, kontakt, ansprechpartner, contacto, personne, persona",
        Entity::Opportunity => "opportunity, opp, deal, oportunidad, opportunite, verkaufschance, negocio",
    }
}

/// Every phrase that means the app's field.
pub(super) fn phrases(entity: Entity, app_field: &str) -> Vec<String> {
    for (prefix, places) in [("billing_", BILLING), ("mailing_", MAILING)] {
        if let Some(part) = app_field.strip_prefix(prefix) {
            let words = list(meanings(ADDRESS_PARTS, part));
            let placed = |word: &'static str| list(places).map(move |place| format!("{place} {word}"));
            return words.flat_map(|word| placed(word).chain([word.to_owned()])).collect();
        }
    }
    let table = match entity {
        Entity::Account => OF_ACCOUNTS,
        Entity::Contact => OF_CONTACTS,
        Entity::Opportunity => OF_OPPORTUNITIES,
    };
    list(meanings(table, app_field)).map(str::to_owned).collect()
}

/// The entries of a list.
pub(super) fn list(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(", ").filter(|entry| !entry.is_empty())
}

fn meanings(table: &[(&str, &'static str)], name: &str) -> &'static str {
    table.iter().find(|(field, _)| *field == name).map_or("", |(_, phrases)| *phrases)
}
