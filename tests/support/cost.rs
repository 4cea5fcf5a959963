//! What a process costs, read from `/proc`: Linux only.

use std::process::Child;

/// CPU seconds and peak memory in MiB of a process, as far as it got.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// User and system time, in seconds.
    pub cpu: f64,
    /// The most memory it held at a time, in MiB.
    pub peak: f64,
}

impl Cost {
    /// Of a process that runs; none when it is gone.
    pub fn of(pid: u32) -> Option<Self> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks: f64 = fields.get(11..13)?.iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?
            .trim()
            .trim_end_matches(" kB")
            .parse::<f64>()
            .ok()?;
        Some(Self { cpu: ticks / TICKS_PER_SECOND, peak: peak / 1024.0 })
    }

    /// Of a process, watched until it ends.
    pub fn to_the_end(child: &mut Child) -> Self {
        let mut last = Self::default();
        loop {
            last = Self::of(child.id()).unwrap_or(last);
            if child.try_wait().expect("a child").is_some() {
                return last;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
