//! Which GPUs each replica sees.

use std::path::Path;

/// The variable by which CUDA is told which GPUs there are.
pub(super) const VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// How many GPUs are wanted, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooFew {
    pub wanted: usize,
    pub there: usize,
}

/// The GPUs that this process may use: those that the variable names, where it is set, else those that `devices` (`/dev`)
/// has. Empty where there are none of NVIDIA's.
pub(super) fn visible(variable: Option<&str>, devices: &Path) -> Vec<String> {
    if let Some(named) = variable {
        let names = named.split(',').map(str::trim).filter(|name| !name.is_empty());
        // What follows an impossible one does not count, as CUDA has it.
        return names.take_while(|name| !name.starts_with('-')).map(str::to_owned).collect();
    }
    let number = |name: &str| name.strip_prefix("nvidia").and_then(|rest| rest.parse::<usize>().ok());
    let entries = std::fs::read_dir(devices).into_iter().flatten().flatten();
    let count = entries.filter(|entry| entry.file_name().to_str().and_then(number).is_some()).count();
    (0..count).map(|number| number.to_string()).collect()
}

/// How many replicas share a GPU.
pub(super) fn sharing(gpus: f64) -> usize {
    // What is a third of a GPU may be written as 0.33, or as 0.3333333333333333.
    if gpus > 0.0 && gpus < 1.0 { ((1.0 / gpus + 1e-9) as usize).max(1) } else { 1 }
}

/// What the variable is set to for each replica, each of which has so many GPUs; none where it is left as it is, for want of
/// GPUs to choose from or because none are asked for.
pub(super) fn assigned(gpus: f64, replicas: u16, visible: &[String]) -> Result<Vec<Option<String>>, TooFew> {
    let replicas = usize::from(replicas);
    if visible.is_empty() || gpus <= 0.0 {
        return Ok(vec![None; replicas]);
    }
    let (each, sharing) = (gpus.ceil() as usize, sharing(gpus));
    let wanted = replicas.div_ceil(sharing).saturating_mul(each);
    if wanted > visible.len() {
        return Err(TooFew { wanted, there: visible.len() });
    }
    let of = |replica: usize| visible[replica / sharing * each..][..each].join(",");
    Ok((0..replicas).map(|replica| Some(of(replica))).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn gpus(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn an_outer_choice_counts_and_else_the_devices() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for (variable, expected) in [
            (None, &["0", "1"][..]),
            (Some("3, 5"), &["3", "5"]),
            (Some("GPU-ab,GPU-cd"), &["GPU-ab", "GPU-cd"]),
            (Some("1,-1,2"), &["1"]),
            (Some(""), &[]),
        ] {
            assert_eq!(visible(variable, folder.path()), expected, "{variable:?}");
        }
        assert!(visible(None, &folder.path().join("none")).is_empty());
    }

    #[test]
    fn replicas_have_gpus_of_their_own_or_share_one() {
        let four = gpus(&["4", "5", "6", "7"]);
        let lists = |per: f64, replicas| {
            let lists = assigned(per, replicas, &four)?;
            Ok(lists.into_iter().map(|list| list.unwrap_or_default()).collect::<Vec<_>>())
        };
        assert_eq!(lists(1.0, 3), Ok(gpus(&["4", "5", "6"])));
        assert_eq!(lists(2.0, 2), Ok(gpus(&["4,5", "6,7"])));
        assert_eq!(lists(0.5, 5), Ok(gpus(&["4", "4", "5", "5", "6"])));
        assert_eq!(lists(0.33, 4), Ok(gpus(&["4", "4", "4", "5"])));
        assert_eq!(lists(1.0 / 3.0, 3), Ok(gpus(&["4", "4", "4"])));
        assert_eq!(lists(0.7, 2), Ok(gpus(&["4", "5"])));
        assert_eq!(lists(2.0, 3), Err(TooFew { wanted: 6, there: 4 }));
        assert_eq!(lists(0.25, 17), Err(TooFew { wanted: 5, there: 4 }));
        // Without any, or where none are asked for, nothing is said.
        assert_eq!(assigned(0.0, 2, &four), Ok(vec![None, None]));
        assert_eq!(assigned(1.0, 2, &[]), Ok(vec![None, None]));
    }
}
