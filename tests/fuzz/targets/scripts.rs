//! What core writes, the simulator's own machine reads back to the same registers.
//!
//! The input is a list of steps of six bytes: a register, four bytes of value, and what else happens: a script is sent,
//! the shadow forgets, the value is volatile.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_core::vm::{Register, Script, Shadow};
use scopething_sim::{Device, SimConfig, SimTime};

fuzz_target!(|bytes: &[u8]| {
    let mut device = Device::new(&SimConfig::default());
    let mut shadow = Shadow::new();
    let mut wanted = vec![None; 256];
    let (steps, _) = bytes.as_chunks::<6>();
    for &[register, a, b, c, d, then] in steps {
        let register = Register::ALL[usize::from(register) % Register::ALL.len()];
        let value = [a, b, c, d];
        if then & 1 == 0 {
            shadow.stage(register, u32::from_le_bytes(value));
        } else {
            shadow.stage_volatile(register, u32::from_le_bytes(value));
        }
        for (address, byte) in (register.address()..).zip(value).take(register.width().into()) {
            wanted[usize::from(address)] = Some(byte);
        }
        if then & 2 != 0 {
            send(&mut shadow, &mut device);
        }
        // What was sent is forgotten only, as after a failure: it must then be sent again.
        if then & 6 == 6 {
            shadow.forget();
        }
        // Somebody else's digits must not change what the next script means.
        if then & 8 != 0 {
            exchange(&mut device, &[b"0123456789abcdef"[usize::from(then >> 4)], b'n']);
        }
    }
    send(&mut shadow, &mut device);
    for (address, byte) in wanted.iter().enumerate() {
        let Some(byte) = byte else { continue };
        let answer = exchange(&mut device, format!("[{address:02x}]@p").as_bytes());
        assert_eq!(answer, format!("[{address:02x}]@p\r{byte:02x}\r").as_bytes());
    }
});

fn send(shadow: &mut Shadow, device: &mut Device) {
    let mut buffer = [0; 2048];
    let mut script = Script::new(&mut buffer);
    script.stores(shadow).expect("all registers fit");
    let script = script.finish();
    assert_eq!(exchange(device, script), script, "the echo of simple commands is all there is");
}

fn exchange(device: &mut Device, bytes: &[u8]) -> Vec<u8> {
    for byte in bytes {
        device.receive(*byte, SimTime::ZERO);
    }
    std::iter::from_fn(|| device.transmit(SimTime::ZERO)).collect()
}
