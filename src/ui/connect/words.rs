//! What differs between CRMs in the steps: what to have ready, where to sign in, what is asked for.

use crate::model::{Environment, Provider};

/// A permission that the CRM will ask the person for.
pub(super) struct Permission {
    pub name: &'static str,
    pub scope: &'static str,
    pub used: &'static str,
    pub without: &'static str,
}

/// A CRM in the words of the steps.
pub(super) struct Words {
    /// Which of its objects are synchronised, and where that works.
    pub offer: &'static str,
    /// What an admin of the CRM prepares, and why.
    pub checklist: &'static [(&'static str, &'static str)],
    /// Its worlds besides the simulator.
    pub places: &'static [(Environment, &'static str)],
    /// Customers have sign-in addresses of their own.
    pub has_domains: bool,
    /// How many permissions are asked for, in words.
    pub permission_count: &'static str,
    pub permissions: &'static [Permission],
    /// What is never asked for.
    pub not_asked: &'static str,
    /// Where it says that it is down.
    pub status_page: &'static str,
    /// What a user lacks who may not use the API.
    pub no_api: &'static str,
    /// The setting that registers this server there.
    pub setting: &'static str,
}

/// The words of a CRM.
pub(super) const fn of(provider: Provider) -> &'static Words {
    match provider {
        Provider::Salesforce => &SALESFORCE,
        Provider::Hubspot => &HUBSPOT,
    }
}

const SALESFORCE: Words = Words {
    offer: "Accounts, contacts and opportunities. Works with Enterprise, Unlimited and Developer editions, and Professional with API access.",
    checklist: &[
        (
            "A user for Crosstie alone",
            "So that “last changed by” tells people from sync. A free integration licence is enough.",
        ),
        ("API access for that user", "Permission “API Enabled”, and Read, Create, Edit on the objects to sync."),
        ("The connected app is allowed", "Set-up, Connected Apps OAuth Usage, Install. One press by an admin."),
        (
            "Sign-in stays valid",
            "Refresh token policy: valid until revoked. Otherwise you will be asked again every few weeks.",
        ),
        ("Your server’s address is allowed", "Only where Salesforce restricts by IP range."),
        ("An external id field", "Optional: Crosstie_Id__c, text, unique, external id. Makes creates safe to repeat."),
    ],
    places: &[
        (Environment::Production, "login.salesforce.com. Real customers: every write counts."),
        (Environment::Sandbox, "test.salesforce.com. A copy to try things on. A good first choice."),
    ],
    has_domains: true,
    permission_count: "two permissions",
    permissions: &[
        Permission {
            name: "Read and write records",
            scope: "api",
            used: "Reads accounts, contacts and opportunities that changed, writes the fields you map, and asks who is connected.",
            without: "Nothing works without it.",
        },
        Permission {
            name: "Stay signed in",
            scope: "refresh_token",
            used: "Lets runs go on by themselves without asking you to sign in each time.",
            without: "Every run would need a person.",
        },
    ],
    not_asked: "reports, e-mail, Chatter, set-up and administration",
    status_page: "status.salesforce.com",
    no_api: "The user has no permission “API Enabled”. A Salesforce admin can grant it in a permission set; it takes effect at once. Or sign in as another user.",
    setting: "CROSSTIE_SALESFORCE_CLIENT_ID",
};

const HUBSPOT: Words = Words {
    offer: "Companies, contacts and deals. Works with every edition.",
    checklist: &[
        ("A super admin signs in", "Or a user with access to the app marketplace: only they may install an app."),
        ("A user for Crosstie alone", "So that a record’s history tells people from sync."),
        (
            "Room for one unique property per object",
            "HubSpot allows ten. Crosstie adds crosstie_id when the first sync begins: it makes creates safe to repeat.",
        ),
        (
            "Companies that HubSpot makes by itself",
            "Settings, Objects, Companies: where HubSpot creates companies from contacts’ addresses, new contacts bring new companies.",
        ),
        ("Required properties", "A rule that makes a property required holds for Crosstie too: map it or relax it."),
    ],
    places: &[
        (Environment::Production, "app.hubspot.com. Real customers: every write counts."),
        (Environment::Sandbox, "A sandbox or test account, chosen on HubSpot’s own page. A good first choice."),
    ],
    has_domains: false,
    permission_count: "four permissions",
    permissions: &[
        Permission {
            name: "Read and write records",
            scope: "crm.objects.*",
            used: "Reads companies, contacts and deals that changed, and writes the fields you map.",
            without: "Nothing works without it.",
        },
        Permission {
            name: "See and add properties",
            scope: "crm.schemas.*",
            used: "Reads which properties there are, and adds crosstie_id to the objects that you sync.",
            without: "A create whose answer is lost could make a record twice.",
        },
        Permission {
            name: "See who people are",
            scope: "crm.objects.owners.read",
            used: "Shows you as whom Crosstie is connected.",
            without: "Only your address would be shown.",
        },
        Permission {
            name: "Know the account",
            scope: "oauth",
            used: "Tells which account answered, and its time zone.",
            without: "Nothing works without it.",
        },
    ],
    not_asked: "e-mail, marketing, files, settings and users",
    status_page: "status.hubspot.com",
    no_api: "The account did not grant every permission that was asked for. A super admin can sign in and grant them.",
    setting: "CROSSTIE_HUBSPOT_CLIENT_ID",
};
