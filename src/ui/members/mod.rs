//! `/members`: the people of the workspace and their roles, for admins.

mod server;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::components::{
    ActionNotice, Button, ButtonKind, Dialog, Icon, IconName, LinkButton, Notice, PageHeader, ProblemNotice,
    RelativeTime, SelectField, Table, TextField, Tone,
};
use super::layout::use_reason;
use super::server::set_status;
use crate::model::{Capability, Role};
use crate::view::Problem;
use crate::view::people::MemberRow;
use server::{AddMember, SetMemberRole, load_members};

/// The people of the workspace.
#[component]
pub fn MembersPage() -> impl IntoView {
    let reason = use_reason(Capability::ManagePeople);
    let blocked = reason.clone();
    let sentence = "Who works here, and what each of them may do.";
    let query = use_query_map();
    let is_adding = Memo::new(move |_| query.read().get("dialog").as_deref() == Some("add"));
    let is_admin = reason.is_none();
    view! {
        <PageHeader title="Members" sentence=move || sentence>
            <LinkButton kind=ButtonKind::Primary href="/members?dialog=add" disabled=blocked>
                <Icon name=IconName::Plus />
                "Add person"
            </LinkButton>
        </PageHeader>
        {match reason {
            None => view! { <People is_adding=is_adding /> }.into_any(),
            Some(reason) => view! { <AdminsOnly reason=reason /> }.into_any(),
        }}
        <p class="small muted mt-4">
            {is_admin.then_some("Admins do everything. Sales ops map fields and run syncs, reviewers settle conflicts, both edit records. Compliance and members read.")}
        </p>
    }
}

/// What somebody sees here who is no admin.
#[component]
pub(super) fn AdminsOnly(reason: String) -> impl IntoView {
    set_status(403);
    view! { <Notice tone=Tone::Off>{reason} " Ask one of them if you need something changed here."</Notice> }
}

#[component]
fn People(is_adding: Memo<bool>) -> impl IntoView {
    let add = ServerAction::<AddMember>::new();
    let set_role = ServerAction::<SetMemberRole>::new();
    let members = Resource::new(move || (add.version().get(), set_role.version().get()), |_| load_members());
    view! {
        <ActionNotice action=set_role />
        <Transition>
            {move || {
                members
                    .get()
                    .map(|members| match members {
                        Ok(members) => view! { <MemberTable members=members set_role=set_role /> }.into_any(),
                        Err(problem) => view! { <ProblemNotice problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
        {move || is_adding.get().then(|| view! { <AddDialog add=add /> })}
    }
}

fn roles() -> Vec<(String, String)> {
    Role::ALL.iter().map(|role| (role.as_str().to_owned(), role.label().to_owned())).collect()
}

#[component]
fn MemberTable(members: Vec<MemberRow>, set_role: ServerAction<SetMemberRole>) -> impl IntoView {
    let rows = members.into_iter().map(|member| member_row(member, set_role)).collect_view();
    view! {
        <Table caption="People of this workspace">
            <thead>
                <tr>
                    <th scope="col">"Name"</th>
                    <th scope="col">"E-mail"</th>
                    <th scope="col">"Role"</th>
                    <th scope="col" class="fit">
                        "Since"
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

fn member_row(member: MemberRow, set_role: ServerAction<SetMemberRole>) -> impl IntoView {
    let described = format!("Role of {}", member.name);
    let id = member.id.to_string();
    let choices = Role::ALL
        .iter()
        .map(|role| {
            view! {
                <option value=role.as_str() selected=*role == member.role>
                    {role.label()}
                </option>
            }
        })
        .collect_view();
    view! {
        <tr>
            <th scope="row" class="lead">
                {member.name}
                {member.is_viewer.then(|| view! { <span class="faint">" (you)"</span> })}
            </th>
            <td data-l="E-mail">{member.email}</td>
            <td data-l="Role">
                <ActionForm action=set_role attr:class="row">
                    <input type="hidden" name="id" value=id />
                    <select class="select select-sm" name="role" aria-label=described>
                        {choices}
                    </select>
                    <Button small=true disabled=member.fixed busy=set_role.pending()>
                        "Change role"
                    </Button>
                </ActionForm>
            </td>
            <td data-l="Since" class="fit muted">
                <RelativeTime at=member.since />
            </td>
        </tr>
    }
}

#[component]
fn AddDialog(add: ServerAction<AddMember>) -> impl IntoView {
    let problem = move || add.value().get().and_then(Result::err);
    let error = move |field: &'static str| {
        MaybeProp::derive(move || problem().and_then(|problem: Problem| problem.field(field)))
    };
    view! {
        <Dialog title="Add person" close_href="/members".to_owned()>
            <ActionForm action=add>
                <div class="dialog-body stack">
                    <ActionNotice action=add />
                    <TextField
                        label="E-mail"
                        name="email"
                        kind="email"
                        required=true
                        autocomplete="off"
                        error=error("email")
                    />
                    <TextField label="Name" name="name" autocomplete="off" error=error("name") />
                    <SelectField label="Role" name="role" options=roles() value="member" />
                    <TextField
                        label="Password for the first sign-in"
                        name="password"
                        kind="password"
                        autocomplete="new-password"
                        required=true
                        hint="8 to 256 characters. Whoever is known to Crosstie already keeps their own."
                        error=error("password")
                    />
                </div>
                <div class="dialog-foot">
                    <LinkButton href="/members">"Cancel"</LinkButton>
                    <Button kind=ButtonKind::Primary busy=add.pending()>
                        "Add person"
                    </Button>
                </div>
            </ActionForm>
        </Dialog>
    }
}
