//! The files of the page, which are part of the program.

/// A file of the page.
pub(super) struct Asset {
    path: &'static str,
    pub(super) kind: &'static str,
    pub(super) content: &'static [u8],
}

macro_rules! assets {
    ($($path:literal => $kind:literal),+ $(,)?) => {
        &[$(Asset {
            path: $path,
            kind: $kind,
            content: include_bytes!(concat!("../../web/page/", $path)),
        }),+]
    };
}

const ASSETS: &[Asset] = assets! {
    "index.html" => "text/html; charset=utf-8",
    "scope.css" => "text/css; charset=utf-8",
    "icon.svg" => "image/svg+xml",
    "app.js" => "text/javascript; charset=utf-8",
    "calibrate.js" => "text/javascript; charset=utf-8",
    "controls.js" => "text/javascript; charset=utf-8",
    "conversation.js" => "text/javascript; charset=utf-8",
    "decoders.js" => "text/javascript; charset=utf-8",
    "dsp.js" => "text/javascript; charset=utf-8",
    "exporting.js" => "text/javascript; charset=utf-8",
    "frame.js" => "text/javascript; charset=utf-8",
    "handles.js" => "text/javascript; charset=utf-8",
    "history.js" => "text/javascript; charset=utf-8",
    "keys.js" => "text/javascript; charset=utf-8",
    "masks.js" => "text/javascript; charset=utf-8",
    "measure.js" => "text/javascript; charset=utf-8",
    "pointer.js" => "text/javascript; charset=utf-8",
    "readout.js" => "text/javascript; charset=utf-8",
    "roll.js" => "text/javascript; charset=utf-8",
    "screen.js" => "text/javascript; charset=utf-8",
    "store.js" => "text/javascript; charset=utf-8",
    "tabs.js" => "text/javascript; charset=utf-8",
    "transport.js" => "text/javascript; charset=utf-8",
    "units.js" => "text/javascript; charset=utf-8",
};

/// The file at a path of the site.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let name = match path.strip_prefix('/')? {
        "" => "index.html",
        name => name,
    };
    ASSETS.iter().find(|asset| asset.path == name)
}

/// The type of an exported file by its ending.
pub(super) fn kind_of(ending: &str) -> &'static str {
    match ending {
        "csv" => "text/csv; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "wav" => "audio/wav",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_holds_every_file_of_the_page() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/page");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        let mut known: Vec<&str> = ASSETS.iter().map(|asset| asset.path).collect();
        known.sort_unstable();
        assert_eq!(names, known);
    }

    #[test]
    fn nothing_of_the_page_is_from_elsewhere() {
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.content).unwrap();
            for foreign in ["https://", "http://", "//cdn", "@import", "eval("] {
                let found = text.replace("http://www.w3.org/2000/svg", "").contains(foreign);
                assert!(!found, "{} has {foreign}", asset.path);
            }
        }
    }
}
