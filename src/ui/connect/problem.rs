//! A sign-in that ended in nothing: what happened, and the way on.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use super::authorise::SignInFields;
use super::server::BeginSignIn;
use super::{Step, StepHead, words};
use crate::model::{Capability, Provider};
use crate::ui::components::{ActionNotice, Button, ButtonKind, Fold, LinkButton, Shape, Tone};
use crate::ui::use_reason;
use crate::view::connect::AuthorisePage;
use crate::view::integrations::Phrase;

/// What a code means: the sentence's strong part, what is missing, whether something is wrong or only waits.
struct Meaning {
    strong: String,
    missing: String,
    bad: bool,
}

fn meaning_of(code: &str, provider: Provider) -> Meaning {
    let (strong, missing, bad) = texts_of(code, provider);
    let said = |text: &str| {
        let words = words::of(provider);
        let text = text.replace("{crm}", provider.title()).replace("{setting}", words.setting);
        text.replace("{status}", words.status_page)
    };
    Meaning { strong: said(strong), missing: said(missing), bad }
}

fn texts_of(code: &str, provider: Provider) -> (&'static str, &'static str, bool) {
    match code {
        "oauth_denied" => (
            "access was denied in {crm}",
            "Somebody pressed Deny on {crm}'s page. If that was a slip, try again and press Allow there.",
            false,
        ),
        "oauth_state_expired" => (
            "the sign-in took longer than ten minutes",
            "For safety the link to {crm} is good for ten minutes only. Start again; it is quick the second time.",
            false,
        ),
        "oauth_state_used" => (
            "this answer was used before",
            "Each answer of {crm} is good once, so going back or reloading does not repeat it. The connection may be there already: see Integrations. If it is not, start again.",
            false,
        ),
        "oauth_state_foreign" => (
            "this sign-in was begun by somebody else",
            "It belongs to another person or another workspace, and only they can end it. Start your own.",
            true,
        ),
        "oauth_state_unknown" => (
            "this answer belongs to no sign-in of yours",
            "The link was not made here, or is very old. If somebody sent it to you, tell them not to. Start your own sign-in.",
            true,
        ),
        "oauth_code_missing" => (
            "{crm}'s answer was incomplete",
            "It came back without the code that proves the sign-in. Start again.",
            true,
        ),
        "oauth_code_refused" => (
            "{crm} did not accept its own answer",
            "That happens when the answer is old or was used elsewhere. Start again.",
            true,
        ),
        "crm_unavailable" | "crm_limited" => (
            "{crm} did not answer",
            "It is down, slow or has used up its limit. Nothing is wrong here; try again in a few minutes, and look at {status} if it stays.",
            true,
        ),
        "crm_unreadable" => (
            "{crm} answered with something that is no answer",
            "It does that during maintenance. Try again in a few minutes.",
            true,
        ),
        "crm_user_without_api" => ("this user may not use the API", words::of(provider).no_api, true),
        "crm_user_inactive" => (
            "this user or org is switched off",
            "A {crm} admin can switch it on again. Or sign in as another user.",
            true,
        ),
        "crm_address_refused" => (
            "{crm} does not take calls from this server",
            "The org or the user's profile is restricted to certain IP ranges. A {crm} admin adds this server's address there.",
            true,
        ),
        "crm_client_refused" | "crm_not_configured" => (
            "{crm} does not know this server",
            "Client id, secret or callback address differ from what is registered there. The server's administrator checks {setting} and its neighbours.",
            true,
        ),
        "crm_other_org" => (
            "you signed in to another org than before",
            "Crosstie knows which record belongs to which for the former org only, and never mixes two. Sign in to the former one to go on. Or start afresh: then every link to the former org is closed, and records are matched anew. Mappings, settings and logs stay.",
            false,
        ),
        "forbidden" => ("only an admin may connect a CRM", "Ask an admin of your workspace to do it.", false),
        _ => (
            "something went wrong on our side",
            "Try again; if it stays, tell support the incident number below.",
            true,
        ),
    }
}

/// The page.
#[component]
pub(super) fn ProblemPage(
    /// Code of the refusal.
    code: String,
    /// Number under which the server's log has the cause.
    #[prop(optional_no_strip)]
    incident: Option<String>,
    /// The step it stands in place of.
    page: AuthorisePage,
) -> impl IntoView {
    let reason = use_reason(Capability::ManageConnections);
    let action = ServerAction::<BeginSignIn>::new();
    let provider = page.provider;
    let Meaning { strong, missing, bad } = meaning_of(&code, provider);
    let is_other_org = code == "crm_other_org";
    let sentence = vec![
        Phrase::plain("Because "),
        Phrase::strong(strong),
        Phrase::plain(". Nothing was saved and nothing was written."),
    ];
    let (environment, domain) = (page.environment, page.domain);
    let support = match incident {
        Some(incident) => format!("{code} · incident {incident}"),
        None => code,
    };
    view! {
        <StepHead
            title=format!("{} was not connected", provider.title())
            sentence=sentence
            step=Step::Authorise
            provider=provider
            environment=environment
        />
        <div class="max-w-[760px]">
            <ActionNotice action=action />
            <section class="card">
                <div class="card-body stack-2">
                    <h2 class="h3">
                        <span class="inline-shape">
                            <Shape tone=if bad { Tone::Bad } else { Tone::Wait } />
                        </span>
                        "What now"
                    </h2>
                    <p class="small">{missing}</p>
                    {page
                        .user_before
                        .filter(|_| is_other_org)
                        .map(|user| view! { <p class="small muted">{format!("Connected before: {user}")}</p> })}
                </div>
                <footer class="card-foot">
                    <form method="post" action=BeginSignIn::url()>
                        <SignInFields provider=provider environment=environment domain=domain.clone() />
                        <Button kind=ButtonKind::Primary disabled=reason.clone()>
                            {if is_other_org { "Sign in to the former org" } else { "Try again" }}
                        </Button>
                    </form>
                    {is_other_org
                        .then(|| {
                            view! {
                                <form method="post" action=BeginSignIn::url()>
                                    <SignInFields provider=provider environment=environment domain=domain.clone() />
                                    <input type="hidden" name="start_afresh" value="true" />
                                    <Button kind=ButtonKind::Danger disabled=reason>
                                        "Start afresh, close every link"
                                    </Button>
                                </form>
                            }
                        })}
                    <LinkButton href="/connect">"Choose another org"</LinkButton>
                    <LinkButton href="/integrations" kind=ButtonKind::Quiet>
                        "Integrations"
                    </LinkButton>
                </footer>
            </section>
            <div class="mt-3">
                <Fold label=|| "For support">
                    <p class="mono xs muted px-4 py-2.5">{support}</p>
                </Fold>
            </div>
        </div>
    }
}
