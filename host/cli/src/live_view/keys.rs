//! A key for each knob: the same ones as on the page, where it has them.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    ToggleRun,
    Single,
    Force,
    Autoset,
    ToggleA,
    ToggleB,
    ToggleLines,
    SelectNext,
    VoltsUp,
    VoltsDown,
    MoveUp,
    MoveDown,
    TimeUp,
    TimeDown,
    PositionLeft,
    PositionRight,
    LevelUp,
    LevelDown,
    LevelMiddle,
    NextSource,
    NextType,
    NextMode,
    ToggleHair,
    ToggleBits,
    ToggleRoll,
    ToggleGenerator,
    CursorsTime,
    CursorsVolts,
    NextAverages,
    NextPersistence,
    NextSpectrum,
    NextMath,
    ToggleXy,
    Reference,
    Mask,
    ZoomIn,
    ZoomReset,
    SavePng,
    SaveCsv,
    Help,
    /// Beyond the page's keys: what it does by the mouse, or not at all.
    NextCursor,
    CursorBack,
    CursorForth,
    History,
    Back,
    Enter,
    Quit,
}

/// A key, what it is called, what it does in words, and the action.
pub(super) type Key = (KeyCode, &'static str, &'static str, Action);

/// All keys, in the order of the help.
pub(super) const KEYS: [Key; 47] = [
    (KeyCode::Char(' '), "Space", "Run or stop", Action::ToggleRun),
    (KeyCode::Char('s'), "S", "Single", Action::Single),
    (KeyCode::Char('f'), "F", "Force a trigger", Action::Force),
    (KeyCode::Char('a'), "A", "Autoset", Action::Autoset),
    (KeyCode::Char('1'), "1", "Channel A on or off", Action::ToggleA),
    (KeyCode::Char('2'), "2", "Channel B on or off", Action::ToggleB),
    (KeyCode::Char('l'), "L", "Logic lines on or off", Action::ToggleLines),
    (KeyCode::Char('c'), "C", "Select the next channel", Action::SelectNext),
    (KeyCode::Up, "↑", "More volts per division", Action::VoltsUp),
    (KeyCode::Down, "↓", "Fewer volts per division", Action::VoltsDown),
    (KeyCode::PageUp, "PgUp", "Move the channel up", Action::MoveUp),
    (KeyCode::PageDown, "PgDn", "Move the channel down", Action::MoveDown),
    (KeyCode::Right, "→", "More time per division", Action::TimeUp),
    (KeyCode::Left, "←", "Less time per division", Action::TimeDown),
    (KeyCode::Char(','), ",", "Trigger position to the left", Action::PositionLeft),
    (KeyCode::Char('.'), ".", "Trigger position to the right", Action::PositionRight),
    (KeyCode::Char('+'), "+", "Trigger level up", Action::LevelUp),
    (KeyCode::Char('-'), "-", "Trigger level down", Action::LevelDown),
    (KeyCode::Char('0'), "0", "Trigger level to 50 %", Action::LevelMiddle),
    (KeyCode::Char('t'), "T", "Next trigger source", Action::NextSource),
    (KeyCode::Char('e'), "E", "Next trigger type", Action::NextType),
    (KeyCode::Char('m'), "M", "Trigger mode auto or normal", Action::NextMode),
    (KeyCode::Char('h'), "H", "Hair trigger", Action::ToggleHair),
    (KeyCode::Char('b'), "B", "8 bits or the best resolution", Action::ToggleBits),
    (KeyCode::Char('j'), "J", "Slow time bases roll, or not", Action::ToggleRoll),
    (KeyCode::Char('g'), "G", "Generator on or off", Action::ToggleGenerator),
    (KeyCode::Char('x'), "X", "Time cursors", Action::CursorsTime),
    (KeyCode::Char('y'), "Y", "Voltage cursors", Action::CursorsVolts),
    (KeyCode::Tab, "Tab", "Select the next cursor", Action::NextCursor),
    (KeyCode::Char('['), "[", "Move the cursor back", Action::CursorBack),
    (KeyCode::Char(']'), "]", "Move the cursor forth", Action::CursorForth),
    (KeyCode::Char('v'), "V", "Averages: off, 4, 16, 64", Action::NextAverages),
    (KeyCode::Char('p'), "P", "Persistence", Action::NextPersistence),
    (KeyCode::Char('d'), "D", "Spectrum", Action::NextSpectrum),
    (KeyCode::Char('n'), "N", "Math: A+B, A-B, AxB", Action::NextMath),
    (KeyCode::Char('o'), "O", "X-Y", Action::ToggleXy),
    (KeyCode::Char('r'), "R", "Keep the trace as a reference", Action::Reference),
    (KeyCode::Char('k'), "K", "Mask from the trace", Action::Mask),
    (KeyCode::Enter, "Enter", "The last traces", Action::History),
    (KeyCode::Esc, "Esc", "Back to live", Action::Back),
    (KeyCode::Char('z'), "Z", "Zoom in at the middle", Action::ZoomIn),
    (KeyCode::Char('u'), "U", "The whole screen again", Action::ZoomReset),
    (KeyCode::Char('w'), "W", "Save the samples (CSV)", Action::SaveCsv),
    (KeyCode::Char('i'), "I", "Save a picture (PNG)", Action::SavePng),
    (KeyCode::Char(':'), ":", "Type a command", Action::Enter),
    (KeyCode::Char('?'), "?", "These keys", Action::Help),
    (KeyCode::Char('q'), "Q", "Quit", Action::Quit),
];

/// The action of a key press.
pub(super) fn action_of(event: &KeyEvent) -> Option<Action> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let code = match event.code {
        // A terminal in raw mode sends these as keys.
        KeyCode::Char('c' | 'C' | 'd' | 'D' | '\\') if control => return Some(Action::Quit),
        _ if control || event.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char('=') => KeyCode::Char('+'),
        KeyCode::Char(character) => KeyCode::Char(character.to_ascii_lowercase()),
        code => code,
    };
    KEYS.iter().find(|(key, ..)| *key == code).map(|(.., action)| *action)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's table: each key with the name of its action.
    fn page_keys() -> Vec<(String, String)> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../serve/web/page/keys.js");
        let source = std::fs::read_to_string(source).unwrap();
        let rows = source.lines().filter_map(|line| line.trim().strip_prefix('[')?.strip_suffix("],"));
        rows.filter_map(|row| serde_json::from_str::<[String; 4]>(&format!("[{row}]")).ok())
            .map(|[key, _, _, action]| (key, action))
            .collect()
    }

    fn page_name(code: KeyCode) -> String {
        match code {
            KeyCode::Char(character) => character.to_string(),
            KeyCode::Up | KeyCode::Down | KeyCode::Left | KeyCode::Right => format!("Arrow{code:?}"),
            code => format!("{code:?}"),
        }
    }

    #[test]
    fn keys_do_what_they_do_on_the_page() {
        let page = page_keys();
        assert!(page.len() > 30, "{}", page.len());
        let mut shared = 0;
        for (code, .., action) in KEYS {
            let key = page_name(code);
            let Some((_, on_page)) = page.iter().find(|(one, _)| *one == key) else { continue };
            assert_eq!(on_page.to_lowercase(), format!("{action:?}").to_lowercase(), "{key}");
            shared += 1;
        }
        assert_eq!(shared, 40);
        assert_eq!(shared, page.len(), "every key of the page");
        // And no action of the page has another key here.
        for (key, action) in &page {
            let same = KEYS.iter().find(|(.., one)| format!("{one:?}").eq_ignore_ascii_case(action));
            assert!(same.is_none_or(|(code, ..)| page_name(*code) == *key), "{action}");
        }
    }

    #[test]
    fn control_c_quits_and_other_chords_do_nothing() {
        let press = |code, modifiers| action_of(&KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::NONE), Some(Action::SelectNext));
        assert_eq!(press(KeyCode::Char('S'), KeyModifiers::SHIFT), Some(Action::Single));
        assert_eq!(press(KeyCode::Char('='), KeyModifiers::NONE), Some(Action::LevelUp));
        assert_eq!(press(KeyCode::Char('s'), KeyModifiers::CONTROL), None);
    }
}
