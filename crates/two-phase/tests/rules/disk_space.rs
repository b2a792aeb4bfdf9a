//! What a replicator says of its disk, for people: when it comes, and when it is news.

use crate::fixture::Cluster;
use crate::replica::{Replica, said};
use protocol::{DiskSpace, ToCoordinator};

const DISK: DiskSpace = DiskSpace { free_bytes: 500, total_bytes: 1_000 };

#[test]
fn disk_is_told_on_every_connection_and_when_it_has_changed_by_a_hundredth() {
    let mut replica = Replica::level();
    let mut told = |free_bytes| {
        replica.core.handle_disk_space(DiskSpace { free_bytes, ..DISK });
        said(&replica.core.take_effects()).iter().filter(|message| matches!(message, ToCoordinator::Disk(_))).count()
    };
    assert_eq!([told(500), told(491), told(490), told(490)], [1, 0, 1, 0]);
    replica.disconnect();
    replica.core.handle_disk_space(DISK);
    assert_eq!(said(&replica.core.take_effects()), [] as [&ToCoordinator; 0], "nobody is there to hear it");
    replica.connect();
    replica.core.handle_disk_space(DISK);
    assert_eq!(said(&replica.core.take_effects()), [&ToCoordinator::Disk(DISK)]);
}

#[test]
fn disk_is_shown_as_long_as_the_member_is_there() {
    let mut cluster = Cluster::level(2);
    let shown = |cluster: &Cluster| cluster.core.status().members[0].disk;
    assert_eq!(shown(&cluster), None);
    cluster.replicator_says(1, ToCoordinator::Disk(DISK));
    assert_eq!(shown(&cluster), Some(DISK));
    cluster.disconnect(1);
    assert_eq!(shown(&cluster), None);
}
