//! `HttpPostEndpoint`: the control side.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_gst::outlet::Outlet;
use rivero_plugin_api::{Element, ElementContext, Result, supervise::lock};

use crate::{
    api::{self, HttpPostEndpointParams},
    desk::Desk,
    server::Lease,
    settings::{ServerSettings, UploadSettings},
};

/// An endpoint that media is uploaded to.
pub(crate) struct HttpPost {
    desk: Arc<Desk>,
    url: String,
    lease: Mutex<Option<Lease>>,
}

impl HttpPost {
    fn close(&self) {
        let lease = lock(&self.lease).take();
        self.desk.close();
        // The last one ends the server, which the upload needs until its end.
        drop(lease);
    }
}

impl Element for HttpPost {
    fn released(&self) {
        self.close();
    }
}

impl Drop for HttpPost {
    fn drop(&mut self) {
        self.close();
    }
}

impl api::SessionEndpoint for HttpPost {}

impl api::HttpEndpoint for HttpPost {
    fn get_url(&self) -> Result<String> {
        Ok(self.url.clone())
    }
}

impl api::HttpPostEndpoint for HttpPost {
    fn create(context: ElementContext, params: HttpPostEndpointParams) -> Result<Self> {
        rivero_gst::init()?;
        let outlets = Outlet::of_element(&context)?;
        let seconds = u64::try_from(params.disconnection_timeout).unwrap_or(0);
        let desk = Arc::new(Desk::new(
            context,
            params.use_encoded_media,
            Duration::from_secs(seconds),
            UploadSettings::load()?.limit(),
            outlets,
        ));
        let lease = Lease::new(desk.clone(), &ServerSettings::load()?)?;
        Ok(Self {
            desk,
            url: lease.url().to_owned(),
            lease: Mutex::new(Some(lease)),
        })
    }
}
