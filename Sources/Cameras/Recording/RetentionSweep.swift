import Foundation
import Vision

/// Carries a ``RetentionPlan`` out in a folder of clips.
public enum RetentionSweep {
  public struct Result: Sendable, Hashable {
    public var deleted: [RetentionPlan.Deletion] = []
    /// Names of what should have gone and could not be removed.
    public var failed: [String] = []
  }

  /// Deletes what is too old or has no room: files `*.mp4` of the folder itself, by when they were last written. Links and other
  /// files are let be.
  ///
  /// - Parameter held: names of clips that are kept for a reason of their own.
  public static func run(_ plan: RetentionPlan, in folder: URL, held: Set<String>, now: Date) -> Result {
    let keys: Set<URLResourceKey> = [.isRegularFileKey, .isSymbolicLinkKey, .fileSizeKey, .contentModificationDateKey]
    let files =
      (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: Array(keys))) ?? []
    let recordings = files.compactMap { file -> RetentionPlan.Recording? in
      guard file.pathExtension == "mp4", let values = try? file.resourceValues(forKeys: keys),
        values.isRegularFile == true, values.isSymbolicLink != true, let date = values.contentModificationDate
      else { return nil }
      let name = file.lastPathComponent
      return RetentionPlan.Recording(
        name: name, end: date.timeIntervalSince1970, bytes: values.fileSize ?? 0, isHeld: held.contains(name))
    }
    var result = Result()
    for deletion in plan.deletions(recordings, now: now.timeIntervalSince1970) {
      do {
        try FileManager.default.removeItem(at: folder.appending(path: deletion.name))
        result.deleted.append(deletion)
      } catch {
        result.failed.append(deletion.name)
      }
    }
    return result
  }
}
