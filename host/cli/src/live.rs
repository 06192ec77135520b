//! Captures from a connected device, to be shown, saved or measured.

use clap::Args;
use scopething_core::device::{Attenuation, BS05};
use scopething_core::plan::{
    BusyOutputs, CapturePlan, CaptureRequest, ChannelSet, Notice, PlanError, TraceEnd, TriggerSource,
    plan_capture,
};
use scopething_core::scope::Generators;
use scopething_core::trace::TraceBuffer;

use super::capture_arguments::{CaptureArguments, UrlArgument};
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::meanwhile::MeanwhileArguments;
use super::message::{print_detail, print_note, print_warning};
use super::progress::Progress;
use super::session::Session;
use scopething::generate::{GeneratorPlan, GeneratorRequest};
use scopething::link::{HostScope, LinkUrl};
use scopething::settings;
use scopething::trigger_hint::{Remedy, TriggerHint, awaited};
use scopething::watched::WatchedCapture;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::quantity::{self, Unit};
use scopething_waveform::waveform::{Settings, Waveform};

/// What is captured, from which device.
#[derive(Debug, Args)]
pub(super) struct LiveArguments {
    #[command(flatten)]
    url: UrlArgument,
    #[command(flatten)]
    pub(super) capture: CaptureArguments,
    #[command(flatten)]
    meanwhile: MeanwhileArguments,
    /// Read all samples twice and compare, for a link that may change bytes; reading takes twice as long
    #[arg(long)]
    verify: bool,
}

/// A device that is ready to capture.
pub(super) struct Live<'a> {
    scope: &'a mut HostScope,
    capture: WatchedCapture,
    /// On the heap, so that futures stay small.
    buffer: Box<TraceBuffer>,
    interrupts: Interrupts,
    settings: Settings,
    /// What a capture does, for as long as it takes.
    doing: String,
    /// Whether the settings name the device by now.
    names_serial: bool,
}

impl LiveArguments {
    /// Connects, starts what shall be generated meanwhile, and plans what `request` asks for, usually that of
    /// [`capture`](Self::capture). `attenuation` is that of a capture which is repeated. Deviations of the plan are printed.
    pub(super) async fn prepare<'a>(
        &self,
        session: &'a mut Session,
        request: &CaptureRequest,
        attenuation: Option<Attenuation>,
    ) -> Result<Live<'a>, Failure> {
        let interrupts = session.interrupts();
        let url = session.url(&self.url)?;
        let generator_request = self.meanwhile.request()?;
        let generator =
            generator_request.as_ref().map(GeneratorRequest::plan).transpose().map_err(Failure::usage)?;
        check(request, generator.as_ref().map_or(BusyOutputs::NOTHING, GeneratorPlan::driven))?;
        let target = session.resolve(url).await?;
        let probe = self.capture.probe(&target.url, attenuation)?;
        let scope = session.connect(&target).await?;
        if let Some(generator) = &generator {
            generator.start(scope).await?;
            print_note!("{generator}");
        }
        scope.set_probe(probe);
        let plan = scope.plan(request)?;
        print_notices(&plan, request.channels);
        if scope.generators() == Generators::Off && waits_for_nothing(&target.url, &plan) {
            print_note!(
                "{} of the simulated BitScope sees no signal: give it one as in --url 'sim:?{}=sine,1kHz,0..3V', or capture \
                 without a trigger by --trigger-mode auto",
                plan.trigger,
                plan.trigger
            );
        }
        let settings = Settings {
            program: Some(concat!("scopething ", env!("CARGO_PKG_VERSION")).to_owned()),
            ..settings::of_capture(request, &plan)
        };
        let doing = doing(request, &plan);
        let mut capture = WatchedCapture::new(scope, request, plan);
        capture.verify = self.verify;
        let buffer = Box::new(TraceBuffer::new());
        Ok(Live { scope, capture, buffer, interrupts, settings, doing, names_serial: false })
    }
}

impl Live<'_> {
    /// Runs one capture. None if it was cancelled before the first sample.
    pub(super) async fn next(&mut self) -> Result<Option<Waveform>, Failure> {
        let Self { scope, capture, buffer, interrupts, settings, doing, names_serial } = self;
        let progress = Progress::new(doing);
        let report = |hint: Option<TriggerHint>| {
            if let Some(hint) = hint {
                progress.note(&advice(&hint));
            }
        };
        let capturing = capture.capture(scope, buffer, interrupts.reached(1), report);
        let trace = tokio::select! {
            trace = progress.of(capturing) => trace?,
            () = interrupts.reached(2) => return Err(Failure::Cancelled),
        };
        if trace.samples() == 0 {
            return Ok(None);
        }
        let waveform = Waveform::of_trace(&trace).map_err(Failure::failed)?;
        for warning in waveform.clipping_warnings() {
            print_warning!("{warning}");
        }
        settings.wall_time = Some(UnixMicros::now().to_string());
        settings.wall_clock.get_or_insert_with(settings::wall_clock);
        settings.device = Some(format!("{} {}", scope.model().name, scope.revision()));
        if std::mem::take(names_serial) {
            // A device without a number is no reason to lose what it captured.
            settings.serial_number =
                scope.read_serial().await.ok().and_then(Result::ok).map(|serial| serial.to_string());
        }
        Ok(Some(waveform.with_settings(settings.clone())))
    }

    /// Has captures name the device's serial number, which is read once, behind the first trace.
    pub(super) fn name_serial(&mut self) {
        self.names_serial = true;
    }

    /// Whether Ctrl-C has come.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupts.count() > 0
    }
}

/// What a capture does until it has ended.
fn doing(request: &CaptureRequest, plan: &CapturePlan) -> String {
    let seconds = |seconds| quantity::format(seconds, Unit::Seconds);
    match request.trigger_wait_s() {
        Some(0.0) => format!("capturing {} (Ctrl-C ends it now)", seconds(request.period_s)),
        Some(longest_s) => {
            format!("waiting for {}, at most {} (Ctrl-C captures now)", awaited(plan), seconds(longest_s))
        }
        None => format!("waiting for {} (Ctrl-C captures now)", awaited(plan)),
    }
}

/// Why the trigger does not come, and what the user can do.
fn advice(hint: &TriggerHint) -> String {
    let options = match hint.remedy() {
        Remedy::MoreSamples => "ask for more --samples",
        Remedy::HairTrigger => "use --hair-trigger or more --samples",
        Remedy::Level => "set another --level, or --trigger-mode auto",
        Remedy::Pattern => "set another --trigger, or --trigger-mode auto",
    };
    format!("{hint}: {options}, or press Ctrl-C to see it now")
}

/// Refuses what no device captures, before one is looked for. What the range may be depends on its probes.
fn check(request: &CaptureRequest, driven: BusyOutputs) -> Result<(), Failure> {
    if let (Some(low), Some(high), false) = (request.low, request.high, request.raw)
        && low >= high
    {
        return Err(PlanError::Range { low, high }.into());
    }
    let any_range = CaptureRequest { low: None, high: None, level: None, ..*request };
    Ok(plan_capture(&BS05, &BS05.analog, &any_range, driven).map(drop)?)
}

/// Whether a capture waits for ever for an input of the simulated device to which no signal is connected.
fn waits_for_nothing(url: &LinkUrl, plan: &CapturePlan) -> bool {
    let (LinkUrl::Sim { query }, TriggerSource::Analog(channel)) = (url.sound(), plan.trigger) else {
        return false;
    };
    let is_connected = query.split('&').any(|setting| setting.starts_with(&format!("{channel}=")));
    plan.end == TraceEnd::Trigger && plan.trigger_type.is_edge() && !is_connected
}

/// Prints where a plan deviates from the request.
pub(super) fn print_notices(plan: &CapturePlan, asked: ChannelSet) {
    print_notice_list(&plan.notices, asked);
}

/// Prints what the user should know of a plan for the channels that were asked for. That two comparators are not there twice
/// goes without saying where lines were not named one by one.
pub(super) fn print_notice_list(notices: &[Notice], asked: ChannelSet) {
    let is_usual = |notice: &&Notice| {
        asked.logic() == u8::MAX && matches!(notice, Notice::LinesLeftOut { driven: 0, .. })
    };
    for notice in notices.iter().filter(|notice| notice.matters_to_user()) {
        match notice {
            usual if is_usual(&usual) => print_detail!("{usual}"),
            adjustment if adjustment.is_adjustment() => print_note!("{adjustment}"),
            warning => print_warning!("{warning}"),
        }
    }
}
