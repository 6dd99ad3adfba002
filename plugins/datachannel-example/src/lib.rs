//! KmsShowData, KmsSendData, KmsDetectFaces and KmsShowFaces: what elements hand to each other beside sound and pictures, messages
//! (`show_data`, `send_data`) and notes in packets (`faces`).

mod faces;
mod send_data;
mod show_data;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! {
    classes: [
        api::kms_show_data::<show_data::ShowData>(),
        api::kms_send_data::<send_data::SendData>(),
        api::kms_detect_faces::<faces::DetectFaces>(),
        api::kms_show_faces::<faces::ShowFaces>(),
    ]
}
