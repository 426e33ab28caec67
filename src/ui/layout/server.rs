//! Server functions of the frame.

use leptos::prelude::*;

use crate::view::Problem;
use crate::view::frame::FrameStatus;

/// The run that is on and how many conflicts wait.
#[server(prefix = "/fn", endpoint = "load_frame_status")]
pub async fn load_frame_status() -> Result<FrameStatus, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::frame::status(&services, &viewer).await?)
}
