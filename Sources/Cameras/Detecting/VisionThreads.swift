import COpenCV

/// Threads of OpenCV's own.
public enum VisionThreads {
  /// How many threads one call of a detector may use in this process; 1 where several cameras are looked at side by side.
  public static func limit(to count: Int) { madang_cv_threads(Int32(max(1, min(count, 1_024)))) }
}
